"""Links between documents, and from documents to code, work, and the paths that documents name exist."""

import re

import pytest

from tests.guides import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"`(?P<code>[^`\n]+)`")
_PATH = re.compile(r"\w[\w.-]*(/[\w.-]+)*(/|\.(py|md|yaml|toml|json))")
PACKAGE = ROOT / "layers" / "ricochet" / "ricochet"
HISTORY = ROOT / "CHANGELOG.md"
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


def paths_named(path):
    """Return what stands in `code` and looks like a path of ours: a folder with a slash at its end, or a file."""
    return [match["code"] for match in _CODE.finditer(prose(path)) if _PATH.fullmatch(match["code"])]


def exists(name):
    """Whether a path exists, from the root of the repository or from the package."""
    return (ROOT / name).exists() or (PACKAGE / name).exists()


@pytest.mark.parametrize(
    "path", [one for one in DOCUMENTS if one != HISTORY], ids=lambda path: str(path.relative_to(ROOT))
)
def test_paths_that_a_document_names_exist(path):
    assert [name for name in paths_named(path) if not exists(name)] == []


def test_the_architecture_page_names_every_room():
    rooms = {f"{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms <= set(paths_named(ROOT / "docs" / "architecture.md"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("in `ledger/settlement.py` and `intake/presets/`", ["ledger/settlement.py", "intake/presets/"]),
        ("`template.yaml`, `functions/<verb_noun>/app.py`, `.local/stack.json`", ["template.yaml"]),
        ("`/api/v1/admin/`, `https://example.com/`, `amount`", []),
    ],
)
def test_a_path_is_distinguished_from_other_code(tmp_path, text, found):
    document = tmp_path / "page.md"
    document.write_text(text, encoding="utf-8")
    assert paths_named(document) == found


@pytest.mark.parametrize("name", ["ledger/no_such_module.py", "no-such-folder/", "settlement.py"])
def test_a_missing_path_is_found(name):
    assert not exists(name)
