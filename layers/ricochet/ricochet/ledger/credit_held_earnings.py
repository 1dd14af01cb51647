"""Credits held earnings when their product's hold days are over."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ricochet.errors import ConversionNotFoundError
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.settlement import Settlement, credit_owed
from ricochet.ledger.transaction import Latest, Ledger, LedgerTables
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values import times
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.ledger.settings import CreditSettings


@dataclass
class CreditRun:
    """What one run did. `gone`: how many were no longer due, credited or reversed in the meantime."""

    credited: list[Settlement] = field(default_factory=list)
    gone: int = 0
    failed: dict[str, Exception] = field(default_factory=dict)
    """By earning id."""

    def log_lines(self) -> Iterator[LogLine]:
        for settlement in self.credited:
            conversion = settlement.conversion
            ids = {"conversion_id": conversion.conversion_id, "earning_id": conversion.earning_id}
            yield LogLine("credited", ids)
        for earning_id, failure in self.failed.items():
            yield LogLine("not credited", {"earning_id": earning_id}, logging.ERROR, failure)

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(Metric.HELD_EARNINGS_CREDITED, len(self.credited))
        yield Measurement(Metric.HELD_EARNINGS_FAILED, len(self.failed))


@dataclass(frozen=True)
class CreditHeldEarnings:
    earnings: EarningsTable
    ledger: Ledger
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: CreditSettings) -> Self:
        names = LedgerTables(
            conversions=settings.conversions_table, earnings=settings.earnings_table, wallets=settings.wallets_table
        )
        return cls(EarningsTable(client, settings.earnings_table), Ledger(client, names))

    def __call__(self, has_time: Callable[[], bool]) -> CreditRun:
        """Credit what is due as long as `has_time` says so; the next run finds the rest.

        One earning's failure does not stop the others.
        """
        result = CreditRun()
        for conversion_id, earning_id in self.earnings.due(self.clock()):
            if not has_time():
                break
            try:
                credited = self._credit(conversion_id, earning_id)
            except Exception as error:  # noqa: BLE001 - the caller logs it, and it stays due until it is credited
                result.failed[earning_id] = error
                continue
            if credited is None:
                result.gone += 1
            else:
                result.credited.append(credited)
        return result

    def _credit(self, conversion_id: str, earning_id: str) -> Settlement | None:
        """Return what was written, None if this row is no longer owed or not yet due."""
        read = self.ledger.conversion(conversion_id)
        if read is None:
            raise ConversionNotFoundError(f"{earning_id} has no conversion")

        def settlement(latest: Latest) -> Settlement | None:
            conversion, moment = latest.conversion or read, self.clock()
            return credit_owed(conversion, moment) if conversion.is_due(earning_id, moment) else None

        return self.ledger.apply(settlement)
