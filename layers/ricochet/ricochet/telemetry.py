"""Logs and metrics, the same in every function."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from ricochet.errors import RequestError
    from ricochet.use_cases.intake import IntakeReply

# Many a request has nothing to count.
warnings.filterwarnings("ignore", message="No application metrics to publish")

logger = Logger()
metrics = Metrics()


def count(name: str, number: int = 1) -> None:
    metrics.add_metric(name, MetricUnit.Count, number)


def tell_refusal(receipt_id: str, refusal: RequestError) -> None:
    """Counts and logs a postback that was decided against."""
    count("ConflictingReplays" if refusal.code == "CONFLICTING_REPLAY" else "PostbacksRefused")
    logger.info("postback refused", extra={"receipt_id": receipt_id, "code": refusal.code})


def tell_reply(receipt_id: str, reply: IntakeReply) -> None:
    """Counts and logs a postback that was taken in."""
    count("PostbacksRepeated" if reply.is_duplicate else "PostbacksProcessed")
    logger.info("postback processed", extra=reply.for_log(receipt_id))
