"""Writes that succeed or fail together."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ricochet.dynamodb.wire import from_wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRIES = 4

_TRANSIENT = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}

Refusal = Exception | Callable[[dict[str, Any]], Exception]


class TransactionBusyError(ClientError):
    """The transaction met other writes at the same items, or was throttled, at every try."""

    @property
    def is_conflict(self) -> bool:
        """Whether other writes were in the way, and not only too many requests."""
        return "TransactionConflict" in _codes(self)


@dataclass(frozen=True)
class Write:
    """One write of a transaction, and the error that means its condition does not hold.

    `refused` may also make the error from the item as it is; without an item there is no error to make.
    """

    request: dict[str, Any]
    """Such as `{"Put": …}`, by the names of TransactWriteItems."""
    refused: Refusal | None = None

    def to_request(self) -> dict[str, Any]:
        """Return the request; it asks for the item as it is where the error is made from it."""
        if self.refused is None or isinstance(self.refused, Exception):
            return self.request
        ((kind, parameters),) = self.request.items()
        return {kind: parameters | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}

    def error(self, reason: dict[str, Any]) -> Exception | None:
        """Return the error for a reason of this write, None if its condition is not what failed."""
        if reason.get("Code") != "ConditionalCheckFailed" or self.refused is None:
            return None
        if isinstance(self.refused, Exception):
            return self.refused
        item = reason.get("Item")
        return self.refused(from_wire(item)) if item else None


def transact(client: DynamoDBClient, writes: Sequence[Write], sleep: Callable[[float], None] = time.sleep) -> None:
    """Make all writes, or none and raise the error of the first write whose condition does not hold.

    botocore never retries a conflict with other writes, so this does, with full jitter, and raises
    TransactionBusyError after four tries. Every other ClientError passes through.
    """
    items: list[Any] = [write.to_request() for write in writes]
    for attempt in range(1, TRIES + 1):
        try:
            client.transact_write_items(TransactItems=items)
        except client.exceptions.TransactionCanceledException as cancelled:
            for write, reason in zip(writes, _reasons(cancelled), strict=False):
                if refusal := write.error(reason):
                    raise refusal from cancelled
            if _TRANSIENT.isdisjoint(_codes(cancelled)):
                raise
            if attempt == TRIES:
                raise TransactionBusyError(cancelled.response, cancelled.operation_name) from cancelled
        else:
            return
        sleep(random.uniform(0, 0.025 * 2**attempt))  # noqa: S311 - jitter


def _reasons(cancelled: ClientError) -> list[dict[str, Any]]:
    """Return why a transaction was cancelled: one reason for each of its writes, in their order."""
    return cancelled.response.get("CancellationReasons", [])  # type: ignore[return-value]


def _codes(cancelled: ClientError) -> set[str | None]:
    return {reason.get("Code") for reason in _reasons(cancelled)}
