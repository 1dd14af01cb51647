"""docs/invariants.md against the tests: each test that it names exists, and each invariant names one."""

import ast
import re
from functools import cache

import pytest

from tests.guides import ROOT, text

_ROW = re.compile(r"^\| (?P<invariant>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)
_NAME = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)+)`")
ROWS = [match for match in _ROW.finditer(text("invariants.md")) if match["invariant"] != "invariant"]
NAMED = sorted({name for row in ROWS for name in _NAME.findall(row["tests"])})


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of a file's tests as pytest has them: `test_x`, `TestY::test_x`."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    methods = {
        f"{outer.name}::{node.name}"
        for outer in tree.body
        if isinstance(outer, ast.ClassDef)
        for node in outer.body
        if isinstance(node, ast.FunctionDef)
    }
    return frozenset(name for name in functions | methods if name.rpartition("::")[2].startswith("test_"))


def exists(name: str) -> bool:
    path, _, test = name.partition("::")
    return (ROOT / path).is_file() and test in names_in(path)


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_page_names_exists(name):
    assert exists(name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["invariant"][:60])
def test_each_invariant_is_a_sentence_and_names_its_tests(row):
    assert row["invariant"].endswith(".")
    assert len(_NAME.findall(row["tests"])) == row["tests"].count("`") / 2 > 0


def test_the_invariants_page_is_parsed():
    assert len(ROWS) >= 40


@pytest.mark.parametrize(
    "name",
    [
        "tests/template/no_such_file.py::test_x",
        "tests/template/test_invariants.py::test_that_does_not_exist",
        "tests/template/test_invariants.py::exists",
    ],
)
def test_a_wrong_test_name_is_detected(name):
    assert not exists(name)
