"""Logs and metrics, the same in every function."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from ricochet.metrics import Metric

if TYPE_CHECKING:
    from ricochet.delivery.delivery import Delivery
    from ricochet.delivery.partner_reply import PartnerReply
    from ricochet.delivery.partners.partner_gate import HealthChanges
    from ricochet.errors import RequestError
    from ricochet.intake.intake import IntakeReply, Source
    from ricochet.ledger.conversion import Conversion
    from ricochet.ledger.credit_held_earnings import CreditRun
    from ricochet.ledger.earning import Earning
    from ricochet.ledger.settlement import Settlement

SERVICE = "ricochet"
"""The dimension of every metric, the same for all functions: an alarm on a sum over several would need arithmetic."""

ROWS_IN_A_LINE = 25
"""Of how many deliveries one line of metrics tells, so that it stays below a kilobyte."""

# Many a request has nothing to count.
warnings.filterwarnings("ignore", message="No application metrics to publish")

logger = Logger()
metrics = Metrics(service=SERVICE)
by_dimension = AmazonCloudWatchEMFProvider(service=SERVICE)

_OF_OUTCOME = {
    "credited": Metric.POSTBACKS_CREDITED,
    "credit_later": Metric.POSTBACKS_CREDITED_LATER,
    "held": Metric.POSTBACKS_HELD,
    "pending": Metric.POSTBACKS_PENDING,
    "approved": Metric.POSTBACKS_UNMATCHED,  # later word of a conversion that credits nobody
    "rejected": Metric.POSTBACKS_REJECTED,
    "trash": Metric.POSTBACKS_REJECTED,
    "reversed": Metric.POSTBACKS_REVERSED,
    "tombstone": Metric.POSTBACKS_REVERSED,
    "unmatched": Metric.POSTBACKS_UNMATCHED,
    "ignored": Metric.POSTBACKS_IGNORED,
    "only_receipt": Metric.POSTBACKS_IGNORED,
    "repeat": Metric.POSTBACKS_REPEATED,
}
_OF_REFUSAL = {
    "CONFLICTING_REPLAY": Metric.CONFLICTING_REPLAYS,
    "POSTBACK_NOT_AUTHENTICATED": Metric.POSTBACK_SIGNATURES_REJECTED,
}
_OF_STATUS = {
    "pending": Metric.CONVERSIONS_PENDING,
    "approved": Metric.CONVERSIONS_APPROVED,
    "rejected": Metric.CONVERSIONS_REJECTED,
    "trash": Metric.CONVERSIONS_TRASH,
    "reversed": Metric.CONVERSIONS_REVERSED,
}
_OF_CHANGE = {
    "breaker_opened": Metric.BREAKER_OPENED,
    "breaker_half_open": Metric.BREAKER_HALF_OPEN,
    "breaker_closed": Metric.BREAKER_CLOSED,
    "partner_failing": Metric.PARTNER_FAILING,
    "partner_paused": Metric.PARTNER_PAUSED,
}


def count(metric: Metric, number: int = 1) -> None:
    measure(metric, number)


def measure(metric: Metric, value: float) -> None:
    metrics.add_metric(metric.title, metric.unit, value)


def record_visit(click_id: str) -> None:
    """Counts a visit; its line of metrics says of which click, at a sixth of what a line of the log would cost."""
    count(Metric.VISITS)
    metrics.add_metadata("message", "visit")
    metrics.add_metadata("click_id", click_id)


def speaker(source: Source | None, failure: Exception | None = None) -> dict[str, str]:
    """Who speaks and of which click, as far as it is known yet; for the log."""
    if source is None:
        network_id = getattr(failure, "network_id", None)  # of one that is not active
        return {"network_id": network_id} if network_id else {}
    kind, _, name = (source.name or "").partition(":")
    return ({f"{kind}_id": name} if kind else {}) | ({"click_id": source.click_id} if source.click_id else {})


def record_postback(receipt_id: str, source: Source, reply: IntakeReply) -> None:
    """Counts and logs a postback that was taken in."""
    who = speaker(source)
    count(_OF_OUTCOME.get(reply.outcome, Metric.POSTBACKS_IGNORED))
    if "network_id" in who:
        _measure_by(Metric.NETWORK_POSTBACKS, 1, who["network_id"], in_total=True)
    logger.info("postback processed", extra=who | reply.for_log(receipt_id))


def record_refusal(receipt_id: str | None, source: Source | None, refusal: RequestError) -> None:
    """Counts and logs a postback that was decided against; one to a key that is not in use has no receipt."""
    count(_OF_REFUSAL.get(refusal.code, Metric.POSTBACKS_REFUSED))
    who = speaker(source, refusal)
    logger.info("postback refused", extra=who | {"receipt_id": receipt_id, "code": refusal.code})


def record_server_failure(receipt_id: str, failure: Exception, source: Source | None) -> None:
    """Logs a postback that our own side failed on; without a source it was not known yet who speaks."""
    who = speaker(source, failure)
    logger.error("postback failed on our side", extra=who | {"receipt_id": receipt_id}, exc_info=failure)
    if getattr(failure, "code", None) == "LEDGER_BUSY":
        count(Metric.LEDGER_BUSY)


def record_quiet_networks(network_ids: list[str]) -> None:
    """Counts and logs networks that usually post and have fallen silent."""
    for network_id in network_ids:
        logger.warning("network quiet", extra={"network_id": network_id})
    count(Metric.QUIET_NETWORKS, len(network_ids))


def record_changes(changes: Iterable[tuple[Conversion | None, Conversion | None]]) -> None:
    """Counts the statuses that conversions came to and the money that moved, whoever moved it (before, after)."""
    counts: Counter[Metric] = Counter()
    credited: dict[str, Decimal] = defaultdict(Decimal)
    taken_back: dict[str, Decimal] = defaultdict(Decimal)
    for before, after in changes:
        if after is None:
            continue
        counts[Metric.CONVERSIONS_CREATED] += before is None
        if before is None or before.version < after.version:
            counts[_OF_STATUS[after.status]] += 1
        credited_before = before.credited if before else Decimal(0)
        counts[Metric.CONVERSIONS_CREDITED] += after.credited > 0 >= credited_before
        change = after.credited - credited_before
        (credited if change > 0 else taken_back)[after.currency] += change
    for metric, number in (+counts).items():
        count(metric, number)
    for moved in (credited, taken_back):
        for currency, change in moved.items():
            _measure_money(change, currency, Metric.AMOUNT_CREDITED, Metric.AMOUNT_REVERSED)


def record_credit_run(settled: CreditRun) -> None:
    """Counts and logs what was credited when its hold days were over, and what should have been."""
    for settlement in settled.credited:
        conversion = settlement.conversion
        logger.info("credited", extra={"conversion_id": conversion.conversion_id, "earning_id": conversion.earning_id})
    for earning_id, failure in settled.failed.items():
        logger.error("not credited", extra={"earning_id": earning_id}, exc_info=failure)
    count(Metric.HELD_EARNINGS_CREDITED, len(settled.credited))
    count(Metric.HELD_EARNINGS_FAILED, len(settled.failed))


def record_partner_reply(word: PartnerReply, settlement: Settlement | None) -> None:
    """Counts and logs what a partner called a conversion; without a settlement it was ignored."""
    logger.info("partner word", extra=word.for_log() | {"outcome": settlement.outcome if settlement else "ignored"})
    count(Metric.PARTNER_REPLIES_APPLIED if settlement else Metric.PARTNER_REPLIES_IGNORED)


def record_commission(earning: Earning) -> None:
    count(Metric.REFERRAL_COMMISSIONS)
    _measure_money(earning.amount, earning.currency, Metric.REFERRAL_CREDITED, Metric.REFERRAL_REVERSED)
    logger.info("commission", extra={"conversion_id": earning.conversion_id, "earning_id": earning.earning_id})


def record_deliveries(rows: Iterable[Delivery]) -> None:
    """Counts and logs what became of deliveries, and how late their partners were told."""
    for number, row in enumerate(rows, start=1):
        logger.info("delivery", extra=row.for_log())
        _count_delivery(row)
        if number % ROWS_IN_A_LINE == 0:
            metrics.flush_metrics()


def record_health_changes(health_changes: HealthChanges) -> None:
    """Counts and logs what was learned of partners that are or were in trouble."""
    for change in health_changes.changes:
        logger.warning(change.kind, extra={"partner_id": change.partner_id} | change.detail)
        count(_OF_CHANGE[change.kind])
    for failure in health_changes.failures:
        logger.error("partner health not written", exc_info=failure)
        count(Metric.PARTNER_HEALTH_FAILURES)


def _measure_by(metric: Metric, value: float, of: str, *, in_total: bool = False) -> None:
    """For one value `of` its dimension, and in total if asked; a line of its own, since it counts for all in a line."""
    by_dimension.add_metric(metric.title, metric.unit, value)
    by_dimension.add_dimension(metric.dimension, of)
    if in_total:
        by_dimension.add_dimensions(service=SERVICE)
    by_dimension.flush_metrics()


def _measure_money(change: Decimal, currency: str, gained: Metric, lost: Metric) -> None:
    if change:
        _measure_by(gained if change > 0 else lost, abs(float(change)), currency)


def _count_delivery(row: Delivery) -> None:
    if row.state == "parked":
        count(Metric.DELIVERIES_PARKED)
    if row.held_by is not None:
        count(Metric.DELIVERIES_HELD)
    elif row.state == "superseded":
        count(Metric.DELIVERIES_SUPERSEDED)
    elif row.attempts and row.detail is None:  # else it ended without an attempt
        _count_attempt(row, is_delivered=row.state == "delivered")


def _count_attempt(row: Delivery, *, is_delivered: bool) -> None:
    if row.attempt_count > 1:
        count(Metric.RETRIES_DELIVERED if is_delivered else Metric.RETRIES_FAILED)
        measure(Metric.RETRY_AGE, row.seconds_on_record)
    elif is_delivered:
        count(Metric.FIRST_ATTEMPTS_DELIVERED)
        measure(Metric.FIRST_DELIVERY_LATENCY, row.seconds_since_news * 1000)
    else:
        count(Metric.FIRST_ATTEMPTS_FAILED)
