"""Counts changes of conversions: the statuses that they reach, and the amounts credited and reversed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from ricochet.ledger.conversion import Conversion
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement, money_moved
from ricochet.values.statuses import STATUSES

ZERO = Decimal(0)


@dataclass(frozen=True)
class ConversionChanges:
    """Conversions (before, after), changed by anyone; before is None for a new one, after for a deleted one."""

    changes: Iterable[tuple[Conversion | None, Conversion | None]]

    def log_lines(self) -> Iterable[LogLine]:
        return ()

    def measurements(self) -> Iterator[Measurement]:
        counts: Counter[Metric] = Counter()
        credited: dict[str, Decimal] = defaultdict(Decimal)
        taken_back: dict[str, Decimal] = defaultdict(Decimal)
        for before, after in self.changes:
            if after is None:
                continue
            counts.update(_counted(before, after))
            change = after.credited - (before.credited if before else ZERO)
            (credited if change > 0 else taken_back)[after.currency] += change
        yield from (Measurement(metric, number) for metric, number in counts.items())
        for moved in (credited, taken_back):
            for currency, change in moved.items():
                yield from money_moved(change, currency, Metric.AMOUNT_CREDITED, Metric.AMOUNT_REVERSED)


def _counted(before: Conversion | None, after: Conversion) -> Iterator[Metric]:
    if before is None:
        yield Metric.CONVERSIONS_CREATED
    if before is None or before.version < after.version:
        yield STATUSES[after.status].metric
    if after.credited > 0 >= (before.credited if before else ZERO):
        yield Metric.CONVERSIONS_CREDITED
