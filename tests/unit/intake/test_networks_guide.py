"""The table of presets in docs/networks.md against the presets themselves."""

import re

import pytest

from ricochet.intake import presets
from ricochet.intake.preset import Reads
from tests.guides import text

ROWS = {
    match["name"]: match
    for match in re.finditer(
        r"^\| `(?P<name>\w+)`(?P<beta> \*beta\*)? \| (?P<paste>.*?) \| (?P<proof>.*?) \| (?P<answer>.*?) \|",
        text("networks.md"),
        re.MULTILINE,
    )
    if match["name"] in presets.names()
}
each_preset = pytest.mark.parametrize("name", sorted(ROWS))


def pasted(preset):
    return {pair.partition("=")[0] for pair in preset.paste.split("&") if pair}


def test_every_preset_is_in_the_guide():
    assert sorted(ROWS) == presets.names()


@each_preset
def test_the_urls_in_the_guide_match_the_presets(name):
    preset = presets.load(name)
    read = {theirs for names in preset.fields.values() for theirs in names}
    shown = set(re.findall(r"(?<=[`&])\w+(?=[`=])", ROWS[name]["paste"]))
    assert shown - {"lead_status", "sale_status", "rejected_status"} <= read | pasted(preset)


@each_preset
def test_the_guide_says_which_presets_need_no_url(name):
    assert bool(pasted(presets.load(name))) is not ROWS[name]["paste"].startswith("nothing")


@each_preset
def test_presets_that_do_not_read_the_query_need_no_url(name):
    preset = presets.load(name)
    if preset.reads is Reads.BODY or preset.unwrap:
        assert not preset.paste


@each_preset
def test_the_parameter_in_bold_contains_our_click_id(name):
    bold = re.findall(r"\*\*`(\w+)`\*\*", ROWS[name]["paste"])
    assert bold == ([] if name == "clickbank" else [presets.load(name).fields["click_id"][0]])


@each_preset
def test_the_guide_shows_the_answer_of_each_preset(name):
    body = presets.load(name).acknowledgement({}).body
    assert ("JSON" if body.startswith("{") else f"`{body}`") in ROWS[name]["answer"]


@each_preset
def test_the_guide_says_which_presets_are_beta(name):
    assert bool(ROWS[name]["beta"]) is presets.load(name).beta
