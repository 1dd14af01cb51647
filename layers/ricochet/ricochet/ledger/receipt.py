"""A receipt: one inbound postback as it arrived, or one decision, with its outcome."""

from __future__ import annotations

from typing import Any

from ricochet.values import ids, times
from ricochet.values.entity import Entity, Shown, Unaudited
from ricochet.values.times import Moment

RECEIPTS_KEPT_DAYS = 90

UNIDENTIFIED_SHARDS = 4
"""Partitions of an index for a day's receipts of unidentified senders: anyone can cause such receipts."""

UNIDENTIFIED = [f"unidentified#{number}" for number in range(UNIDENTIFIED_SHARDS)]


class Receipt(Entity):
    """One inbound postback exactly as it arrived, without its secrets, and its outcome."""

    receipt_id: Shown[str]
    received_at: Shown[Moment]
    ttl: int = 0
    outcome: Shown[str]
    source: Shown[str | None] = None
    click_id: Shown[str | None] = None
    conversion_id: Shown[str | None] = None
    earning_id: Shown[str | None] = None
    detail: Shown[str | None] = None
    method: Shown[str] = ""  # the rest is not in the indexes
    path: Shown[str] = ""
    query: Unaudited[str] = ""
    headers: Unaudited[dict[str, str]] = {}
    body: bytes = b""
    body_size: Shown[int] = 0
    truncated: bool | None = None  # only the beginning of the query or the body was kept
    source_ip: Unaudited[str] = ""
    source_day: str | None = None

    @property
    def is_of_postback(self) -> bool:
        return bool(self.method)


def receipt_of_decision(by: str, moment: Moment, outcome: str, **links: str | None) -> Receipt:
    """Return the receipt of a decision by `operator:<sub>` or `partner:<partnerId>`."""
    receipt_id = ids.new_receipt_id(moment)
    return Receipt(receipt_id=receipt_id, received_at=moment, outcome=outcome, source=by, **filing(by, moment), **links)


def filing(source: str, received_at: Moment) -> dict[str, Any]:
    """Return the receipt's index partition and its expiry."""
    return {
        "source_day": source_day(source, received_at[:10]),
        "ttl": times.epoch_seconds(received_at) + RECEIPTS_KEPT_DAYS * 86_400,
    }


def source_day(source: str, day: str) -> str:
    """Return the partition of the index `bySourceDay` for what a source sent on a day."""
    return f"{source}#{day}"


def unidentified_days(day: str) -> list[str]:
    """Return every partition of the index `bySourceDay` for a day's postbacks of unidentified senders."""
    return [source_day(shard, day) for shard in UNIDENTIFIED]
