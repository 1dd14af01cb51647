"""A receipt: one inbound postback as it arrived, or one decision, with what we made of it."""

from __future__ import annotations

from typing import Any

from ricochet.values import ids, times
from ricochet.values.entity import Entity

RECEIPTS_KEPT_DAYS = 90

UNIDENTIFIED_SHARDS = 4
"""Over how many partitions of an index a day's receipts of strangers are spread: anyone can have some written."""

UNIDENTIFIED = [f"stranger#{number}" for number in range(UNIDENTIFIED_SHARDS)]


class Receipt(Entity):
    """One inbound postback exactly as it arrived (less its secrets), and what we made of it."""

    receipt_id: str
    received_at: str
    ttl: int = 0
    outcome: str
    source: str | None = None
    click_id: str | None = None
    conversion_id: str | None = None
    earning_id: str | None = None
    detail: str | None = None
    method: str = ""  # the rest is not in the indexes
    path: str = ""
    query: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""
    body_size: int = 0
    truncated: bool | None = None  # only the beginning of the query or the body is here
    source_ip: str = ""
    source_day: str | None = None

    @property
    def is_of_postback(self) -> bool:
        return bool(self.method)


def receipt_of_decision(by: str, moment: str, outcome: str, **links: str | None) -> Receipt:
    """Of what somebody (`operator:<sub>`) decided, without a postback."""
    receipt_id = ids.new_receipt_id(moment)
    return Receipt(receipt_id=receipt_id, received_at=moment, outcome=outcome, source=by, **filing(by, moment), **links)


def filing(source: str, received_at: str) -> dict[str, Any]:
    """Where a receipt is found, and for how long."""
    return {
        "source_day": source_day(source, received_at[:10]),
        "ttl": times.epoch_seconds(received_at) + RECEIPTS_KEPT_DAYS * 86_400,
    }


def source_day(source: str, day: str) -> str:
    """The partition of the index `bySourceDay` for what a source sent on a day."""
    return f"{source}#{day}"


def unidentified_days(day: str) -> list[str]:
    """Every partition of the index `bySourceDay` for what came that day from nobody we could tell."""
    return [source_day(shard, day) for shard in UNIDENTIFIED]
