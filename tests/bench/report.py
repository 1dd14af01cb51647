"""One table for people: what was measured, what it should be, and whether it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WIDTH = 58


@dataclass(frozen=True)
class Row:
    """One measurement; `goal` is the most that it may be (`exact`: what it must be), None where it only informs."""

    what: str
    value: float
    goal: float | None = None
    exact: bool = False

    @property
    def is_met(self) -> bool:
        if self.goal is None:
            return True
        return self.value == self.goal if self.exact else self.value <= self.goal

    @property
    def is_wrong(self) -> bool:
        """Missed although no noise of the machine can be the cause."""
        return self.exact and not self.is_met

    def __str__(self) -> str:
        limit = "" if self.goal is None else f"{'' if self.exact else '<= '}{_number(self.goal)}"
        verdict = "" if self.goal is None else "ok" if self.is_met else "WRONG" if self.exact else "MISSED"
        return f"  {self.what:<{_WIDTH}} {_number(self.value):>8} {limit:>9}   {verdict}".rstrip()


@dataclass(frozen=True)
class Section:
    title: str
    rows: list[Row]


def lines(sections: Iterable[Section]) -> Iterator[str]:
    yield f"{'':<{_WIDTH + 2}} {'value':>8} {'goal':>9}"
    for section in sections:
        yield section.title
        yield from map(str, section.rows)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
