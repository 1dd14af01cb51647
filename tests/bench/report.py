"""A table of measurements, their goals, and whether these are met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WIDTH = 58


@dataclass(frozen=True)
class Row:
    """A measurement; `goal` is its maximum (`exact`: its only correct value), None where it only informs."""

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
        """Return whether it is missed, and not because of a noisy machine."""
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
