"""The one transaction that credits: conversion, click, earning, wallet and receipt move together or not at all."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.click import Click
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import Wire, from_wire, to_wire
from ricochet.errors import LedgerBusyError, ServerFailureError
from ricochet.ledger.caps import Count
from ricochet.ledger.consequences import ClickChange, ClickCondition
from ricochet.ledger.conversion import Conversion, HoldReason
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.earning import Earning, EarningState, WalletChange
from ricochet.ledger.receipt import Receipt

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.ledger.settlement import Settlement
    from ricochet.settings import LedgerSettings

TRIES = 4

_CLICK_CONDITIONS = {
    ClickCondition.OPEN: "expiresAt > :received AND #status = :open AND attribute_not_exists(closed)",
    ClickCondition.UNEXPIRED: "expiresAt > :received",
    ClickCondition.UNCHANGED: "#status = :seen",
    ClickCondition.EXISTS: "attribute_exists(clickId)",
}

_TRY_AGAIN = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class ConversionMovedError(ServerFailureError):
    """The conversion is not what the settlement was based on; `conversion` is what it is."""

    def __init__(self, conversion: Conversion) -> None:
        super().__init__("the conversion moved meanwhile")
        self.conversion = conversion


class ClickTakenError(ServerFailureError):
    """The click is expired or taken; `click` is what it is."""

    def __init__(self, click: Click) -> None:
        super().__init__("the click is taken")
        self.click = click


class CapReachedError(ServerFailureError):
    """A counter has reached its limit; `reason` is what that means for the conversion."""

    def __init__(self, reason: HoldReason) -> None:
        super().__init__(f"a cap is reached: {reason}")
        self.reason = reason


class EarningExistsError(ServerFailureError):
    """This very credit is in the ledger already."""


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
    """Writes settlements. botocore never retries a TransactionConflict, so this does, a few times, with full jitter."""

    def __init__(
        self, client: DynamoDBClient, tables: LedgerTables, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._tables = tables
        self._sleep = sleep
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

    def write(self, settlement: Settlement, receipt: Receipt | None = None) -> None:
        """Writes what `settlement` says, or nothing and raises. What nobody sent has no receipt.

        ConversionMovedError, ClickTakenError, CapReachedError: decide anew with what they carry. LedgerBusyError: the
        same may succeed later.
        """
        at = receipt.received_at if receipt else settlement.conversion.updated_at
        writes = [
            ("conversion", self._put_conversion(settlement)),
            *_optional("click", lambda change: self._update_click(change, at), settlement.click),
            *_optional("row", self._put_earning, settlement.new_earning),
            *_optional("row", self._change_earning, settlement.earning_change),
            *_optional("wallet", self._add_to_wallet, settlement.wallet_change),
            *((count.reason, self._count(count)) for count in settlement.counts),
            *_optional("receipt", self._put_receipt, receipt),
        ]
        self._transact(writes)

    def credit(self, earning: Earning, change: WalletChange) -> None:
        """One row and its sum, nothing else; EarningExistsError if the row is there already."""
        self._transact([("earning", self._put_earning(earning)), ("wallet", self._add_to_wallet(change))])

    def _transact(self, named_writes: list[tuple[str, dict[str, Any]]]) -> None:
        """Each write has the name of what it is about, so that a failed condition is told as what it means."""
        names, writes = [name for name, _ in named_writes], [write for _, write in named_writes]
        for attempt in range(TRIES):
            try:
                self._client.transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
            except self._client.exceptions.TransactionCanceledException as error:
                reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
                _raise_condition(reasons, names)
                if not any(reason.get("Code") in _TRY_AGAIN for reason in reasons):
                    raise
            else:
                return
            if attempt < TRIES - 1:
                self._sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter
        raise LedgerBusyError(f"the ledger was busy {TRIES} times")

    def _put_conversion(self, settlement: Settlement) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._tables.conversions,
            "Item": Table.wire(settlement.conversion),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        prior = settlement.prior
        if prior is None:
            return {"Put": put | {"ConditionExpression": "attribute_not_exists(conversionId)"}}
        return {
            "Put": put
            | {
                "ConditionExpression": "version = :version AND updatedAt = :updated",
                "ExpressionAttributeValues": to_wire({":version": prior.version, ":updated": prior.updated_at}),
            }
        }

    def _update_click(self, change: ClickChange, received_at: str) -> dict[str, Any]:
        """What the click led to takes the place of the user agent, so that most clicks stay one write unit large."""
        values: dict[str, Any] = {
            ":status": change.status,
            ":outcome": change.outcome.to_item(),
            ":received": received_at,
        }
        sets, removed = "#status = :status, outcome = :outcome, postbackAt = :received", "userAgent"
        if change.closed:
            sets, values = f"{sets}, closed = :closed", values | {":closed": True}
        else:
            removed = f"{removed}, closed"
        condition = _CLICK_CONDITIONS[change.condition]
        if change.condition is ClickCondition.OPEN:
            values |= {":open": "pending"}
        if change.condition is ClickCondition.UNCHANGED:
            values |= {":seen": change.seen}
        return {
            "Update": {
                "TableName": self._tables.clicks,
                "Key": to_wire({"clickId": change.click_id}),
                "UpdateExpression": f"SET {sets} REMOVE {removed}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": to_wire(values),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _put_earning(self, earning: Earning) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self._tables.earnings,
                "Item": Table.wire(earning),
                "ConditionExpression": "attribute_not_exists(earningId)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _change_earning(self, change: EarningState) -> dict[str, Any]:
        """A pending row becomes what `change` says; what that leaves out goes, and so the row leaves its indexes."""
        fields = change.model_dump(by_alias=True)
        key = {name: fields.pop(name) for name in ("userId", "earningId")}
        said = {name: value for name, value in fields.items() if value is not None}
        removed = ", ".join(f"#{name}" for name in fields if name not in said)
        values = {f":{name}": value for name, value in said.items()} | {":wasPending": "pending"}
        return {
            "Update": {
                "TableName": self._tables.earnings,
                "Key": to_wire(key),
                "UpdateExpression": "SET "
                + ", ".join(f"#{name} = :{name}" for name in said)
                + (f" REMOVE {removed}" if removed else ""),
                "ConditionExpression": "#status = :wasPending",
                "ExpressionAttributeNames": {f"#{name}": name for name in fields},
                "ExpressionAttributeValues": to_wire(values),
            }
        }

    def _count(self, count: Count) -> dict[str, Any]:
        values: dict[str, Any] = {":one": 1}
        update: dict[str, Any] = {
            "TableName": self._tables.counters,
            "Key": to_wire({"counterId": count.counter_id}),
            "UpdateExpression": "ADD counted :one",
        }
        if count.ttl is not None:
            update["UpdateExpression"] += " SET #ttl = :ttl"
            update["ExpressionAttributeNames"] = {"#ttl": "ttl"}
            values[":ttl"] = count.ttl
        if count.limit is not None:
            update["ConditionExpression"] = "attribute_not_exists(counted) OR counted < :limit"
            values[":limit"] = count.limit
        return {"Update": update | {"ExpressionAttributeValues": to_wire(values)}}

    def _add_to_wallet(self, change: WalletChange) -> dict[str, Any]:
        return {
            "Update": {
                "TableName": self._tables.wallets,
                "Key": to_wire({"userId": change.user_id, "currency": change.currency}),
                "UpdateExpression": "ADD balance :balance, pending :pending, lifetime :lifetime, seq :one",
                "ExpressionAttributeValues": to_wire(
                    {
                        ":balance": change.balance,
                        ":pending": change.pending,
                        ":lifetime": change.lifetime,
                        ":one": 1,
                    }
                ),
            }
        }

    def _put_receipt(self, receipt: Receipt) -> dict[str, Any]:
        """Unconditional: a postback tried again from the queue has a receipt of the first try to overwrite."""
        return {"Put": {"TableName": self._tables.receipts, "Item": Table.wire(receipt)}}


def _optional[V](name: str, write: Callable[[V], dict[str, Any]], value: V | None) -> list[tuple[str, dict[str, Any]]]:
    return [] if value is None else [(name, write(value))]


def _raise_condition(reasons: list[dict[str, Any]], names: list[str]) -> None:
    for name, reason in zip(names, reasons, strict=False):
        if reason.get("Code") != "ConditionalCheckFailed":
            continue
        item: Wire = reason.get("Item") or {}
        if name == "conversion" and item:
            raise ConversionMovedError(Conversion.from_item(from_wire(item)))
        if name == "click" and item:
            raise ClickTakenError(Click.from_item(from_wire(item)))
        if isinstance(name, HoldReason):
            raise CapReachedError(name)
        if name == "earning":
            raise EarningExistsError("this earning is in the ledger already")
