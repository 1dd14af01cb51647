"""Links between documents, and from documents to code, work."""

import re

import pytest

from tests.guides import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(?P<title>.+?)\s*$", re.MULTILINE)


def prose(path):
    return _FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors(path):
    """Return the anchors of the headings as GitHub forms them: lower case, dashes for blanks, no punctuation."""
    titles = [match["title"] for match in _HEADING.finditer(prose(path))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(path):
    found = [match["target"] for match in _LINK.finditer(prose(path))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def is_broken(path, target):
    name, _, anchor = target.partition("#")
    there = (path.parent / name).resolve() if name else path
    if not there.is_relative_to(ROOT) or not there.exists():
        return True
    return bool(anchor) and anchor not in anchors(there)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_links_of_a_document_work(path):
    assert [target for target in links(path) if is_broken(path, target)] == []


def test_the_readme_links_to_every_guide():
    guides = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert guides - set(links(ROOT / "README.md")) == set()


@pytest.mark.parametrize("target", ["no-such.md", "README.md#no-such-heading", "#no-such-heading", "../outside.md"])
def test_a_broken_link_is_found(target):
    assert is_broken(ROOT / "CONTRIBUTING.md", target)


@pytest.mark.parametrize("target", ["README.md#try-it", "docs", "layers/ricochet/ricochet/values/statuses.py"])
def test_a_working_link_is_accepted(target):
    assert not is_broken(ROOT / "CONTRIBUTING.md", target)
