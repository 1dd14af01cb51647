"""Credits held earnings when their product's hold days are over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from ricochet.errors import ConversionNotFoundError, LedgerBusyError
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.settlement import Settlement, credit_owed
from ricochet.ledger.transaction import ConversionMovedError, Ledger, LedgerTables
from ricochet.values import times

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.settings import SettleSettings

_TRIES = 4


@dataclass
class CreditRun:
    """What one run did. `gone`: how many were no longer due, credited or reversed in the meantime."""

    credited: list[Settlement] = field(default_factory=list)
    gone: int = 0
    failed: dict[str, Exception] = field(default_factory=dict)
    """By earning id."""


class CreditHeldEarnings:
    def __init__(self, earnings: EarningsTable, ledger: Ledger, clock: Callable[[], str] = times.now) -> None:
        self._earnings = earnings
        self._ledger = ledger
        self._clock = clock

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: SettleSettings) -> Self:
        names = LedgerTables(
            conversions=settings.conversions_table, earnings=settings.earnings_table, wallets=settings.wallets_table
        )
        return cls(EarningsTable(client, settings.earnings_table), Ledger(client, names))

    def __call__(self, has_time: Callable[[], bool]) -> CreditRun:
        """Credit what is due as long as `has_time` says so; the next run finds the rest.

        One earning's failure does not stop the others.
        """
        result = CreditRun()
        for conversion_id, earning_id in self._earnings.due(self._clock()):
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
        conversion = self._ledger.conversion(conversion_id)
        if conversion is None:
            raise ConversionNotFoundError(f"{earning_id} has no conversion")
        for _ in range(_TRIES):
            moment = self._clock()
            if not conversion.is_due(earning_id, moment):
                return None
            settlement = credit_owed(conversion, moment)
            try:
                self._ledger.write(settlement)
            except ConversionMovedError as moved:
                conversion = moved.conversion
            else:
                return settlement
        raise LedgerBusyError("the conversion kept moving")
