"""How output looks: tables and lines for people, JSON for scripts."""

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
MAX_ID_WIDTH = 64  # a longer text without blanks is an address, and is wrapped
MAX_PHRASE_WIDTH = 24  # a time or an amount; a longer text with blanks is a sentence, and is wrapped
MIN_WRAPPED_WIDTH = 24
GAP = 2
RED, GREEN, YELLOW, DIM = "red", "green", "yellow", "dim"


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or wide enough for tables if the output is no terminal."""
    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if is_terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False)


def show_json(value: Any) -> None:
    """Print one JSON document, with amounts as numbers."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_number))


def print_line(text: str, style: str | None = None, *, stderr: bool = False) -> None:
    """Print `text` unchanged: square brackets are no markup, and a command stays on one line for copying."""
    console(stderr=stderr).print(escape(text), style=style, soft_wrap=True)


def warn(text: str, *, stderr: bool = False) -> None:
    print_line(f"warning: {text}", YELLOW, stderr=stderr)


def error(text: str) -> None:
    console(stderr=True).print(escape(text), style=RED)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str, *, stderr: bool = False) -> None:
    """Print columns without borders, or the text `empty` if there are no rows.

    Nothing is cut off. If the terminal is narrow, long texts are wrapped, but ids stay on one line for copying.
    If even the ids do not fit, the lines become longer than the terminal is wide.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        print_line(empty, DIM, stderr=stderr)
        return
    grid = Table(box=None, pad_edge=False, show_header=any(columns), header_style=DIM, padding=(0, GAP, 0, 0))
    needed = 0
    for column, texts in zip(columns, zip(*cells, strict=True), strict=True):
        wraps, width = any(map(_wraps, texts)), max(map(len, (column, *texts)))
        needed += GAP + (min(MIN_WRAPPED_WIDTH, width) if wraps else width)
        grid.add_column(column, no_wrap=not wraps, overflow="fold")
    for row in cells:
        grid.add_row(*map(escape, row))
    screen = console(stderr=stderr)
    screen.width = max(screen.width, needed)
    screen.print(grid)


def _wraps(text: str) -> bool:
    return len(text) > (MAX_PHRASE_WIDTH if " " in text else MAX_ID_WIDTH)


def fields(values: Mapping[str, Any], *, stderr: bool = False) -> None:
    """Print one name and value per line."""
    table(("", ""), ((name, plain(value)) for name, value in values.items()), "nothing", stderr=stderr)


def resource(values: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one resource with all its fields."""
    if as_json:
        show_json(values)
    else:
        fields(values)


def plain(value: Any) -> str:
    """Return a value of a resource as an operator would write it."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=_number)


def confirm(question: str, *, stderr: bool = False) -> None:
    """Ask the operator; raise typer.Abort unless the answer is yes.

    `typer.confirm` writes to stdout even when it should ask on stderr.
    """
    typer.echo(f"{question} [y/N]: ", nl=False, err=stderr)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise typer.Abort


@contextmanager
def progress(text: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal and yield the function that advances it.

    Without a total the bar only shows activity; without a terminal nothing is shown.
    """
    screen = console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task(text, total=total)
        yield lambda number: bar.advance(task, number)


def to_millisecond(timestamp: str | None) -> str:
    """Return a timestamp without its year, such as `11-21 21:08:04.627`; empty for None."""
    return "" if timestamp is None else timestamp[5:-1].replace("T", " ")


def to_second(timestamp: str | None) -> str:
    """Return a timestamp without its year and milliseconds, such as `11-21 21:08:04`; empty for None."""
    return to_millisecond(timestamp).partition(".")[0]


def money(amount: Decimal, currency: str) -> str:
    return f"{amount:.2f} {currency}" if amount == round(amount, 2) else f"{amount:f} {currency}"


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        return json_number(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
