"""The guides in docs/, and their code blocks by language."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


def text(guide: str) -> str:
    return (ROOT / "docs" / guide).read_text(encoding="utf-8")


def blocks(guide: str, language: str) -> list[str]:
    """Return the code blocks in the order of the guide, without the indentation of lists."""
    found = [textwrap.dedent(match["code"]) for match in _BLOCK.finditer(text(guide)) if match["language"] == language]
    assert found, f"{guide} has no {language}"
    return found
