"""Macros are replaced in a single pass and in any case; replaced values are not searched for macros."""

import json
import re
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from ricochet.delivery.partners import macros
from ricochet.delivery.request import macro_values
from ricochet.errors import CompositionError
from tests.unit.builders import CLICK_ID, a_delivery, a_notice, a_partner

NOTICE = {
    "offer_id": "offer 1",
    "product_id": "prod_1",
    "transaction_id": "T&1",
    "user_id": "user_1",
    "event": "level",
    "sub1": "one",
    "sub5": "five",
    "prelanding": "pre",
    "landing": "land",
    "px": "pixel",
    "domain": "d.example",
    "country": "DE",
    "offer_name": "Shop & more",
    "ip": "203.0.113.9",
}


def known(partner=None, **notice) -> dict[str, str]:
    return macro_values(a_delivery(a_notice(**NOTICE | notice)), partner or a_partner())


def plain(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("click_id", CLICK_ID),
        ("clickid", CLICK_ID),
        ("subid", CLICK_ID),
        ("status", "Purchase"),
        ("original_status", "sale"),
        ("payout", "2.5"),
        ("amount", "2.5"),
        ("sum", "2.5"),
        ("revenue", "2.5"),
        ("currency", "USD"),
        ("conversion_id", "CONV-1"),
        ("transaction_id", "T&1"),
        ("txid", "T&1"),
        ("txn_id", "T&1"),
        ("sub2", ""),
        ("affiliate_id", NOTICE["user_id"]),
        ("network", ""),
        ("timestamp", "2026-03-01T13:00:00.000Z"),
        *((name, value) for name, value in NOTICE.items() if name != "transaction_id"),
    ],
)
def test_macro_is_replaced_in_any_case(name, value):
    for written in (name, name.upper(), name.title()):
        assert macros.fill(f"<{{{written}}}>", known(), plain) == f"<{value}>"


AGREED = """
    click_id subid clickid status original_status payout amount sum revenue currency offer_id offer_name product_id
    conversion_id transaction_id txid txn_id user_id affiliate_id network sub1 sub2 sub3 sub4 sub5 prelanding landing
    px domain event ip country timestamp delivery_id random
"""


def test_each_agreed_macro_is_known():
    agreed = set(re.findall(r"\w+", AGREED))
    assert macros.unknown_macros("".join(f"{{{name}}}" for name in agreed)) == []
    assert set(known()) == macros.NAMES == agreed


def test_subid_of_the_click_takes_precedence_over_its_id():
    assert known(subid="mine")["subid"] == "mine"


def test_partner_may_have_its_own_status_names():
    assert known(a_partner(status_words={"approved": "1"}))["status"] == "1"


def test_delivery_id_is_stable_and_random_is_not():
    one, other = known(), known()
    assert one["delivery_id"] == other["delivery_id"] == a_delivery().delivery_id
    assert one["random"].isdigit()
    assert one["random"] != other["random"]


def test_macros_in_a_value_are_not_replaced():
    values = known(sub1="{user_id}", sub2="{{sub1}}", user_id="private")
    assert macros.fill("{sub1}|{sub2}|{{sub1}}", values, plain) == "{user_id}|{{sub1}}|{{user_id}}"


@pytest.mark.parametrize("template", ["{nosuch}", "{}", "{ click_id }", "{click-id}", "{1}", '{"a": 1}', "{click_id"])
def test_unknown_macro_is_replaced_by_nothing(template):
    assert CLICK_ID not in macros.fill(template, known(), plain)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{clikc_ids}", "{clikc_ids} is no macro; did you mean {click_id}?"),
        ("{payot}", "{payot} is no macro; did you mean {payout}?"),
        ("{Transaction-ID}", "{Transaction-ID} is no macro; did you mean {transaction_id}?"),
        ("{user id}", "{user id} is no macro; did you mean {user_id}?"),
        ("{sub6}", "{sub6} is no macro; did you mean {sub"),
        ("{payout|round}", "{payout|round} is no macro; did you mean {payout}?"),
        ("{clic\u212a_id}", "{clic\u212a_id} is no macro; did you mean {click_id}?"),
        ("{\uff53\uff55\uff4d}", "{\uff53\uff55\uff4d} is no macro; did you mean {"),
    ],
)
def test_unknown_macro_is_reported_with_the_nearest_known_one(template, complaint):
    (said,) = macros.unknown_macros(f"https://p.example/{template}?again={template}&c={{CLICK_ID}}")
    assert said.startswith(complaint)


@pytest.mark.parametrize(
    "template", ["", "plain", "{CLICK_id}{TxId}", '{"a": "{payout}", "b": {"c": [1]}, "d": { }}', '{\n"a": 1}', "{}"]
)
def test_template_without_unknown_macros_is_accepted(template):
    assert macros.unknown_macros(template) == []


NASTY = {
    "a b": "a%20b",
    "a&b=c": "a%26b%3Dc",
    "100%": "100%25",
    "?#/+": "%3F%23%2F%2B",
    "a;b,c@d:e": "a%3Bb%2Cc%40d%3Ae",
    "\r\nX-Evil: 1": "%0D%0AX-Evil%3A%201",
    "%0d%0a": "%250d%250a",
    "\u00e9": "%C3%A9",
    "\u4e2d": "%E4%B8%AD",
    "\U0001f600": "%F0%9F%98%80",
    '"q"\\': "%22q%22%5C",
    "{click_id}": "%7Bclick_id%7D",
    "\x00\u2028": "%00%E2%80%A8",
    "-._~": "-._~",
    "": "",
}


@pytest.mark.parametrize("text", NASTY)
def test_value_cannot_escape_its_place_in_a_url(text):
    url = macros.fill_url("https://p.example/x/{sub1}?a={sub1}&b=2", {"sub1": text})
    parts = urlsplit(url)
    assert parse_qsl(parts.query, keep_blank_values=True) == [("a", text), ("b", "2")]
    assert (parts.netloc, parts.path, parts.fragment) == ("p.example", f"/x/{NASTY[text]}", "")
    assert url.isascii()
    assert url.isprintable()


@pytest.mark.parametrize("text", NASTY)
def test_value_cannot_escape_its_place_in_a_form(text):
    body = macros.fill("a={sub1}&b=2", {"sub1": text}, macros.in_url)
    assert body == f"a={NASTY[text]}&b=2"
    assert parse_qsl(body, keep_blank_values=True) == [("a", text), ("b", "2")]


@pytest.mark.parametrize("text", NASTY)
def test_value_cannot_escape_its_place_in_json(text):
    body = macros.fill_json('{"a": "{sub1}", "b": ["x{sub1}y"], "{sub1}": 1}', {"sub1": text})
    assert json.loads(body) == {"a": text, "b": [f"x{text}y"]} | {text: 1}
    assert body.isascii()
    assert body.isprintable()


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ('"', r"\""),
        ("\\", r"\\"),
        ("\r\n\t", r"\r\n\t"),
        ("\x00", r"\u0000"),
        ("\u00e9", r"\u00e9"),
        ("\U0001f600", r"\ud83d\ude00"),
        ('", "payout": "999', r"\", \"payout\": \"999"),
    ],
)
def test_json_strings_are_escaped(text, escaped):
    assert macros.in_json(text) == escaped


@pytest.mark.parametrize("template", ["https://p.example/?a={sub1}", "https://p.example/{sub1}"])
@pytest.mark.parametrize("half", ["\ud800", "a\udfffb", "\ude00\ud83d"])
def test_lone_surrogate_is_refused_with_a_message(template, half):
    for fill in (macros.fill_url, macros.fill_json, lambda *given: macros.fill(*given, macros.in_url)):
        with pytest.raises(CompositionError, match="a macro's value is not valid Unicode"):
            fill(template, {"sub1": half})


@pytest.mark.parametrize("text", [".", "..", "...", ". ", "%2e", "../x", ""])
@pytest.mark.parametrize("path", ["/a/{sub1}/b", "/a/{sub1}", "/{sub1}?x=1", "/{sub1}#x"])
def test_value_cannot_traverse_the_path(path, text):
    template = f"https://p.example{path}"
    if text in {".", ".."}:
        with pytest.raises(CompositionError, match=r"path has \. or \.\. in it"):
            macros.fill_url(template, {"sub1": text})
    else:
        assert macros.fill_url(template, {"sub1": text}) == template.replace("{sub1}", quote(text, safe=""))


@pytest.mark.parametrize("path", ["/../a", "/a/..", "/./a", "/a/%2e%2E/b", "/a/.%2e", "/.{sub1}", "/{sub1}{sub1}/x"])
def test_path_traversal_is_refused_in_any_notation(path):
    with pytest.raises(CompositionError):
        macros.fill_url(f"https://p.example{path}", {"sub1": "."})


@pytest.mark.parametrize("query", ["?a=../b", "?a={sub1}", "#../{sub1}"])
def test_dots_outside_the_path_are_allowed(query):
    assert macros.fill_url(f"https://p.example/{query}", {"sub1": ".."}).startswith("https://p.example/")


@pytest.mark.parametrize(
    ("template", "known"),
    [
        ('{"money": {payout}}', {"payout": ""}),
        ('{"money": {payout}}', {}),
        ('{"money": {payout}}', {"payout": "1,5"}),
        ('{"money": {payout}}', {"payout": "NaN"}),
        ('{"money": {payout}}', {"payout": "-Infinity"}),
        ('{"money": 1{payout}}', {"payout": "x"}),
        ("", {}),
        ("[" * 100_000, {}),
    ],
)
def test_body_that_becomes_invalid_json_is_refused_with_a_message(template, known):
    with pytest.raises(CompositionError, match="the body is not JSON once its macros are filled in") as refused:
        macros.fill_json(template, known)
    assert len(refused.value.message) < 200
