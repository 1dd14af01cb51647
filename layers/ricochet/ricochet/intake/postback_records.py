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
from ricochet.intake.claim import Claim
from ricochet.intake.reply import IntakeReply
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
    claim: Claim
    reply: IntakeReply

    def log_lines(self) -> Iterator[LogLine]:
        yield LogLine("postback processed", self.claim.log_fields() | self.reply.log_fields(self.receipt_id))

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(self.reply.outcome.metric)
        network_id = self.claim.log_fields().get("network_id")
        if network_id is not None:
            yield from (Measurement(Metric.NETWORK_POSTBACKS, 1, of) for of in (None, network_id))


@dataclass(frozen=True)
class PostbackRefused:
    """Without a receipt and a claim if the postback's key is not in use."""

    receipt_id: str | None
    claim: Claim | None
    refusal: RequestError

    def log_lines(self) -> Iterator[LogLine]:
        fields = {"receipt_id": self.receipt_id, "code": self.refusal.code}
        yield LogLine("postback refused", _sender(self.claim, self.refusal) | fields)

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(REFUSAL_METRICS.get(type(self.refusal), Metric.POSTBACKS_REFUSED))


@dataclass(frozen=True)
class PostbackFailed:
    """Our own side failed; without a claim if the postback's key is not in use."""

    receipt_id: str
    claim: Claim | None
    failure: Exception

    def log_lines(self) -> Iterator[LogLine]:
        fields = _sender(self.claim, self.failure) | {"receipt_id": self.receipt_id}
        yield LogLine("postback failed on our side", fields, logging.ERROR, self.failure)

    def measurements(self) -> Iterator[Measurement]:
        if isinstance(self.failure, LedgerBusyError):
            yield Measurement(Metric.LEDGER_BUSY)


def _sender(claim: Claim | None, failure: Exception) -> dict[str, Any]:
    """Return who sent the postback and for which click, as far as known."""
    if claim is not None:
        return claim.log_fields()
    inactive = failure.network_id if isinstance(failure, NetworkNotFoundError) else None
    return {"network_id": inactive} if inactive else {}
