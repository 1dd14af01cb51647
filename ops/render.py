"""How things are shown: to people in tables and lines, to scripts as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ricochet.values.money import json_number

PIPE_WIDTH = 120
LONGEST_WORD = 64  # an id; what is longer is an address
LONGEST_PHRASE = 24  # a time, an amount; what is longer is text
FOLDED = 24  # at least so wide is what is folded
GAP = 2
RED, GREEN, YELLOW, DIM = "red", "green", "yellow", "dim"


def console(*, stderr: bool = False) -> Console:
    """As wide as the terminal; where there is none, wide enough for the tables."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)


def show_json(value: Any) -> None:
    """One JSON document with amounts as numbers, and nothing around it."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_number))


def say(text: str, style: str | None = None, *, stderr: bool = False) -> None:
    """`text` as it is: square brackets in it are no markup, and a command stays in one line that can be pasted."""
    console(stderr=stderr).print(escape(text), style=style, soft_wrap=True)


def mind(text: str, *, stderr: bool = False) -> None:
    say(f"mind: {text}", YELLOW, stderr=stderr)


def complain(text: str) -> None:
    console(stderr=True).print(escape(text), style=RED)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str, *, stderr: bool = False) -> None:
    """Columns without lines around them; `empty` where there are no rows.

    Nothing is cut off. Where the space is short, long texts are folded and ids stay whole: they are there to be copied.
    Where there is not even room for these, lines are as long as they have to be.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        say(empty, DIM, stderr=stderr)
        return
    grid = Table(box=None, pad_edge=False, show_header=any(columns), header_style=DIM, padding=(0, GAP, 0, 0))
    needed = 0
    for column, texts in zip(columns, zip(*cells, strict=True), strict=True):
        folds, width = any(map(_folds, texts)), max(map(len, (column, *texts)))
        needed += GAP + (min(FOLDED, width) if folds else width)
        grid.add_column(column, no_wrap=not folds, overflow="fold")
    for row in cells:
        grid.add_row(*map(escape, row))
    screen = console(stderr=stderr)
    screen.width = max(screen.width, needed)
    screen.print(grid)


def _folds(text: str) -> bool:
    return len(text) > (LONGEST_PHRASE if " " in text else LONGEST_WORD)


def fields(values: Mapping[str, Any], *, stderr: bool = False) -> None:
    """One name and value to a line."""
    table(("", ""), ((name, plain(value)) for name, value in values.items()), "nothing", stderr=stderr)


def resource(values: Mapping[str, Any], *, as_json: bool) -> None:
    """One thing with all its fields."""
    if as_json:
        show_json(values)
    else:
        fields(values)


def plain(value: Any) -> str:
    """A value of a resource as an operator would write it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=_number)


def confirm(question: str, *, stderr: bool = False) -> None:
    """Goes on only if the operator wants it; typer.Abort else.

    `typer.confirm` writes to stdout even when it is to ask on stderr.
    """
    typer.echo(f"{question} [y/N]: ", nl=False, err=stderr)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise typer.Abort


@contextmanager
def progress(text: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A bar that grows by what its function is told, where somebody watches; without a total it only moves."""
    screen = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda number: bar.advance(task, number)


def moment(text: str | None) -> str:
    """A time of ours for people, who know the year: `11-21 21:08:04.627`."""
    return "" if text is None else text[5:-1].replace("T", " ")


def second(text: str | None) -> str:
    return moment(text).partition(".")[0]


def money(amount: Decimal, currency: str) -> str:
    return f"{amount:.2f} {currency}" if amount == round(amount, 2) else f"{amount:f} {currency}"


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        return json_number(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
