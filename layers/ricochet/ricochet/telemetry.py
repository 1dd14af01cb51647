"""Logs and metrics, the same in every function."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from ricochet.errors import RequestError
    from ricochet.models.delivery import Delivery
    from ricochet.use_cases.intake import IntakeReply
    from ricochet.use_cases.partner_gate import Learned

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


def tell_delivery(row: Delivery) -> None:
    logger.info("delivery", extra=row.for_log())
    count("DeliveriesHeld" if row.held_by else f"Deliveries{row.state.capitalize()}")


def tell_health(learned: Learned) -> None:
    """Counts and logs what was learned of partners that are or were in trouble."""
    for change in learned.changes:
        logger.warning(change.kind, extra={"partner_id": change.partner_id} | change.detail)
        count("".join(word.capitalize() for word in change.kind.split("_")))
    for failure in learned.failures:
        logger.error("partner health not written", exc_info=failure)
        count("PartnerHealthFailures")
