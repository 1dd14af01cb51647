"""What is logged and counted of a postback: processed, refused, or failed on our side."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ricochet.errors import (
    ConflictingReplayError,
    LedgerBusyError,
    NetworkNotFoundError,
    PostbackNotAuthenticatedError,
    RequestError,
)
from ricochet.intake.intake import IntakeReply, Source
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement

REFUSAL_METRICS: dict[type[RequestError], Metric] = {
    ConflictingReplayError: Metric.CONFLICTING_REPLAYS,
    PostbackNotAuthenticatedError: Metric.POSTBACK_SIGNATURES_REJECTED,
}
"""All other refusals count as `POSTBACKS_REFUSED`."""


@dataclass(frozen=True)
class PostbackProcessed:
    receipt_id: str
    source: Source
    reply: IntakeReply

    def log_lines(self) -> Iterator[LogLine]:
        yield LogLine("postback processed", _sender(self.source) | self.reply.log_fields(self.receipt_id))

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(self.reply.outcome.metric)
        network_id = _sender(self.source).get("network_id")
        if network_id is not None:
            yield from (Measurement(Metric.NETWORK_POSTBACKS, 1, of) for of in (None, network_id))


@dataclass(frozen=True)
class PostbackRefused:
    """Without a receipt and a source if the postback's key is not in use."""

    receipt_id: str | None
    source: Source | None
    refusal: RequestError

    def log_lines(self) -> Iterator[LogLine]:
        fields = {"receipt_id": self.receipt_id, "code": self.refusal.code}
        yield LogLine("postback refused", _sender(self.source, self.refusal) | fields)

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(REFUSAL_METRICS.get(type(self.refusal), Metric.POSTBACKS_REFUSED))


@dataclass(frozen=True)
class PostbackFailed:
    """Our own side failed; without a source, before the sender was identified."""

    receipt_id: str
    source: Source | None
    failure: Exception

    def log_lines(self) -> Iterator[LogLine]:
        fields = _sender(self.source, self.failure) | {"receipt_id": self.receipt_id}
        yield LogLine("postback failed on our side", fields, logging.ERROR, self.failure)

    def measurements(self) -> Iterator[Measurement]:
        if isinstance(self.failure, LedgerBusyError):
            yield Measurement(Metric.LEDGER_BUSY)


def _sender(source: Source | None, failure: Exception | None = None) -> dict[str, Any]:
    """Return who sent the postback and for which click, as far as known."""
    if source is None:
        inactive = failure.network_id if isinstance(failure, NetworkNotFoundError) else None
        return {"network_id": inactive} if inactive else {}
    kind, _, name = (source.name or "").partition(":")
    return ({f"{kind}_id": name} if kind else {}) | ({"click_id": source.click_id} if source.click_id else {})
