"""The one transaction that credits: conversion, click, earning, wallet and receipt move together or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.click import Click
from ricochet.dynamodb.expressions import put, update
from ricochet.dynamodb.transaction import TransactionBusyError, Write, transact
from ricochet.errors import LedgerBusyError, ServerFailureError
from ricochet.ledger.caps import Count
from ricochet.ledger.consequences import ClickChange, ClickCondition
from ricochet.ledger.conversion import Conversion, HoldReason
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.earning import Earning, EarningState, WalletChange
from ricochet.ledger.receipt import Receipt
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.ledger.settings import LedgerSettings
    from ricochet.ledger.settlement import Settlement

DECISIONS = 4
"""How often a settlement is decided for one report before the ledger counts as busy."""

_CLICK_CONDITIONS = {
    ClickCondition.OPEN: "expiresAt > :received AND #status = :open AND attribute_not_exists(closed)",
    ClickCondition.UNEXPIRED: "expiresAt > :received",
    ClickCondition.UNCHANGED: "#status = :seen",
    ClickCondition.EXISTS: "attribute_exists(clickId)",
}


@dataclass(frozen=True)
class Latest:
    """What refused writes have shown to be newer than what the caller has read; nothing before the first write."""

    conversion: Conversion | None = None
    click: Click | None = None
    cap_reached: HoldReason | None = None


class StaleStateError(ServerFailureError):
    """A settlement was decided from a state that has changed since."""

    def refreshed(self, latest: Latest) -> Latest:
        """Return `latest` with what this error has shown."""
        raise NotImplementedError


class ConversionMovedError(StaleStateError):
    """The conversion has changed since it was read; `conversion` is its current state."""

    def __init__(self, conversion: Conversion) -> None:
        super().__init__("the conversion was changed since it was read")
        self.conversion = conversion

    def refreshed(self, latest: Latest) -> Latest:
        """Its click has changed with it, so an earlier one is dropped."""
        return replace(latest, conversion=self.conversion, click=None)


class ClickTakenError(StaleStateError):
    """The click is expired or taken; `click` is its current state."""

    def __init__(self, click: Click) -> None:
        super().__init__("the click is taken")
        self.click = click

    def refreshed(self, latest: Latest) -> Latest:
        return replace(latest, click=self.click)


class CapReachedError(StaleStateError):
    """A counter has reached its limit; `reason` is why the conversion is held."""

    def __init__(self, reason: HoldReason) -> None:
        super().__init__(f"a cap is reached: {reason}")
        self.reason = reason

    def refreshed(self, latest: Latest) -> Latest:
        return replace(latest, cap_reached=self.reason)


class EarningExistsError(ServerFailureError):
    """The same credit is in the ledger already."""


@dataclass(frozen=True)
class LedgerTables:
    """Names of the tables that the transactions span; a commission touches earnings and wallets only."""

    earnings: str
    wallets: str
    conversions: str = ""
    clicks: str = ""
    receipts: str = ""
    counters: str = ""


class Ledger:
    """Writes settlements."""

    def __init__(self, client: DynamoDBClient, tables: LedgerTables) -> None:
        self._client = client
        self._tables = tables
        self._conversions = ConversionsTable(client, tables.conversions)

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: LedgerSettings) -> Self:
        names = LedgerTables(
            conversions=settings.conversions_table,
            clicks=settings.clicks_table,
            earnings=settings.earnings_table,
            wallets=settings.wallets_table,
            receipts=settings.receipts_table,
            counters=settings.counters_table,
        )
        return cls(client, names)

    def conversion(self, conversion_id: str) -> Conversion | None:
        return self._conversions.get(conversion_id)

    def apply[S: Settlement | None](
        self, decide: Callable[[Latest], S], receipt: Callable[[Settlement], Receipt] | None = None
    ) -> S:
        """Write what `decide` returns, and return it; where it was decided from a stale state, decide again.

        A settlement that changes nothing (a repeat, an ignored report), and None, are returned and not written.
        Raise LedgerBusyError if the state keeps changing.
        """
        latest = Latest()
        for _ in range(DECISIONS):
            settlement = decide(latest)
            if settlement is None or settlement.is_repeat or settlement.is_ignored:
                return settlement
            try:
                self.write(settlement, receipt(settlement) if receipt else None)
            except StaleStateError as stale:
                latest = stale.refreshed(latest)
            else:
                return settlement
        raise LedgerBusyError("the conversion kept changing")

    def write(self, settlement: Settlement, receipt: Receipt | None = None) -> None:
        """Write what `settlement` says, or nothing and raise StaleStateError, or LedgerBusyError.

        There is no receipt where nobody has sent anything.
        """
        at = receipt.received_at if receipt else settlement.conversion.updated_at
        writes = [self._put_conversion(settlement)]
        if settlement.click:
            writes.append(self._update_click(settlement.click, at))
        if settlement.new_earning:
            writes.append(self._put_earning(settlement.new_earning))
        if settlement.earning_change:
            writes.append(self._change_earning(settlement.earning_change))
        if settlement.wallet_change:
            writes.append(self._add_to_wallet(settlement.wallet_change))
        writes += map(self._count, settlement.counts)
        if receipt:
            writes.append(self._put_receipt(receipt))
        self._transact(writes)

    def credit(self, earning: Earning, change: WalletChange) -> None:
        """Write one row and its sum, nothing else; raise EarningExistsError if the row is there already."""
        exists = EarningExistsError("this earning is in the ledger already")
        self._transact([replace(self._put_earning(earning), refused=exists), self._add_to_wallet(change)])

    def _transact(self, writes: list[Write]) -> None:
        try:
            transact(self._client, writes)
        except TransactionBusyError as busy:
            raise LedgerBusyError("other writes were at the same rows with every try") from busy

    def _put_conversion(self, settlement: Settlement) -> Write:
        table, conversion, prior = self._tables.conversions, settlement.conversion, settlement.prior
        if prior is None:
            request = put(table, conversion, "attribute_not_exists(conversionId)")
        else:
            unchanged = "version = :version AND updatedAt = :updated"
            request = put(table, conversion, unchanged, version=prior.version, updated=prior.updated_at)
        return Write({"Put": request}, refused=lambda item: ConversionMovedError(Conversion.from_item(item)))

    def _update_click(self, change: ClickChange, received_at: Moment) -> Write:
        """What the click led to takes the place of the user agent, so that most clicks stay one write unit large."""
        sets, removed = "SET #status = :status, outcome = :outcome, postbackAt = :received", "REMOVE userAgent"
        values: dict[str, Any] = {"status": change.status, "outcome": change.outcome.to_item(), "received": received_at}
        if change.closed:
            sets, values = f"{sets}, closed = :closed", values | {"closed": True}
        else:
            removed = f"{removed}, closed"
        if change.condition is ClickCondition.OPEN:
            values["open"] = "pending"
        if change.condition is ClickCondition.UNCHANGED:
            values["seen"] = change.seen
        key, condition = {"clickId": change.click_id}, _CLICK_CONDITIONS[change.condition]
        request = update(self._tables.clicks, key, f"{sets} {removed}", condition, **values)
        return Write({"Update": request}, refused=lambda item: ClickTakenError(Click.from_item(item)))

    def _put_earning(self, earning: Earning) -> Write:
        return Write({"Put": put(self._tables.earnings, earning, "attribute_not_exists(earningId)")})

    def _change_earning(self, change: EarningState) -> Write:
        """A pending row becomes what `change` says; attributes without a value are removed, and so the row leaves
        its indexes."""
        fields = change.model_dump(by_alias=True)
        key = {name: fields.pop(name) for name in ("userId", "earningId")}
        values = {name: value for name, value in fields.items() if value is not None}
        removed = ", ".join(f"#{name}" for name in fields if name not in values)
        sets = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        expression = f"{sets} REMOVE {removed}" if removed else sets
        return Write(
            {
                "Update": update(
                    self._tables.earnings, key, expression, "#status = :wasPending", wasPending="pending", **values
                )
            }
        )

    def _count(self, count: Count) -> Write:
        values: dict[str, Any] = {"one": 1}
        change, condition = "ADD counted :one", None
        if count.ttl is not None:
            change, values = f"{change} SET #ttl = :ttl", values | {"ttl": count.ttl}
        if count.limit is not None:
            condition = "attribute_not_exists(counted) OR counted < :limit"
            values["limit"] = count.limit
        request = update(self._tables.counters, {"counterId": count.counter_id}, change, condition, **values)
        return Write({"Update": request}, refused=CapReachedError(count.reason))

    def _add_to_wallet(self, change: WalletChange) -> Write:
        request = update(
            self._tables.wallets,
            {"userId": change.user_id, "currency": change.currency},
            "ADD balance :balance, pending :pending, lifetime :lifetime, seq :one",
            balance=change.balance,
            pending=change.pending,
            lifetime=change.lifetime,
            one=1,
        )
        return Write({"Update": request})

    def _put_receipt(self, receipt: Receipt) -> Write:
        """Unconditional: a postback tried again from the queue has a receipt of the first try to overwrite."""
        return Write({"Put": put(self._tables.receipts, receipt)})
