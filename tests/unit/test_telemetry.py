"""The metric lines and log lines that each result writes."""

import io
import json
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace

import pytest

from ricochet import telemetry
from ricochet.delivery.apply_partner_replies import ReplyResult
from ricochet.delivery.delivery import DeliveryState, Hold
from ricochet.delivery.partner_reply import PartnerReply
from ricochet.delivery.partners import partner_gate
from ricochet.delivery.partners.partner_gate import HealthChange, HealthChanges
from ricochet.delivery.partners.partner_health import Breaker, PartnerHealth
from ricochet.errors import (
    ClickExpiredError,
    ConflictingReplayError,
    LedgerBusyError,
    NetworkNotFoundError,
    PostbackNotAuthenticatedError,
)
from ricochet.intake.claim import Claim
from ricochet.intake.find_quiet_networks import QuietNetworks
from ricochet.intake.postback_records import PostbackFailed, PostbackProcessed, PostbackRefused
from ricochet.intake.reply import IntakeReply
from ricochet.ledger import settlement as settlements
from ricochet.ledger.consequences import click_result
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversion_changes import ConversionChanges
from ricochet.ledger.credit_held_earnings import CreditRun
from ricochet.ledger.credit_referrals import Commission
from ricochet.ledger.earning import Earning, EarningType
from ricochet.metrics import Metric
from ricochet.values.statuses import STATUSES, ApprovalStatus, EarningStatus, Outcome, Status
from tests.unit.builders import (
    CLICK_ID,
    IN_AN_HOUR,
    NOON,
    InMemoryLedger,
    a_conversion,
    a_delivery,
    a_notice,
    a_product,
    a_report,
    an_attempt,
)

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")  # as in telemetry; pytest resets the filters
KILOBYTE = 1024
OF_NETWORK = Claim(source="network:net_1", click_id=CLICK_ID)
OF_PRODUCT = Claim(source="product:prod_1", click_id=CLICK_ID)
UNIDENTIFIED = Claim()
CONTEXT = SimpleNamespace(
    function_name="ricochet-dev-ReceiveNetworkPostback-1ABCDEFGHIJK",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:ricochet-dev-ReceiveNetworkPostback-1ABCDE",
    aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
)


@dataclass
class Lines:
    """What one invocation wrote."""

    metrics: list[dict] = field(default_factory=list)
    log: list[dict] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def values(self, *dimensions: str) -> dict[str, list[float]]:
        """Return the values of the metrics that have exactly these dimensions beside `service`."""
        return {
            metric["Name"]: line[metric["Name"]]
            for line in self.metrics
            for directive in line["_aws"]["CloudWatchMetrics"]
            if {"service", *dimensions} in [set(names) for names in directive["Dimensions"]]
            for metric in directive["Metrics"]
        }

    def counts(self) -> dict[str, float]:
        return {name: sum(values) for name, values in self.values().items()}


@pytest.fixture
def written(monkeypatch, capsys):
    """Return a function that runs an action in a handler, and returns the lines that it wrote."""
    for writer in (telemetry.metrics.provider, telemetry.by_dimension):
        monkeypatch.setattr(writer, "namespace", "Ricochet/test")
    log = io.StringIO()
    monkeypatch.setattr(telemetry.logger.handlers[0], "stream", log)

    def run(action) -> Lines:
        @telemetry.logger.inject_lambda_context(clear_state=True)
        @telemetry.metrics.log_metrics
        def handler(event, context):
            action()

        handler({}, CONTEXT)
        metrics, logged = capsys.readouterr().out.splitlines(), log.getvalue().splitlines()
        return Lines(
            [json.loads(line) for line in metrics],
            [json.loads(line) for line in logged],
            [len(line) for line in metrics],
        )

    return run


def reply_of(settlement) -> IntakeReply:
    return IntakeReply(settlement.outcome, CLICK_ID, click_result(settlement.conversion))


def story(*reports) -> list[settlements.Settlement]:
    ledger = InMemoryLedger()
    return [ledger.report(report, f"2026-03-01T13:00:{n:02}.000Z") for n, report in enumerate(reports)]


def change(settlement) -> tuple[Conversion | None, Conversion]:
    return settlement.prior, settlement.conversion


@pytest.mark.parametrize(
    ("reports", "metric"),
    [
        ([a_report(amount="2.5")], "PostbacksCredited"),
        ([a_report(Status.PENDING)], "PostbacksPending"),
        ([a_report(amount=50)], "PostbacksHeld"),
        ([a_report(amount=5), a_report(Status.REVERSED)], "PostbacksReversed"),
        ([a_report(amount=5), a_report(Status.PENDING)], "PostbacksIgnored"),
        ([a_report(amount=5), a_report(amount=5)], "PostbacksRepeated"),
    ],
)
def test_a_postback_is_counted_by_its_outcome(written, reports, metric):
    reply = reply_of(story(*reports)[-1])
    assert written(lambda: telemetry.record(PostbackProcessed("RCPT-1", OF_PRODUCT, reply))).counts() == {metric: 1}


def test_a_networks_postback_is_counted_for_it_and_for_all_networks(written):
    (settlement,) = story(a_report(Status.PENDING))
    lines = written(lambda: telemetry.record(PostbackProcessed("RCPT-1", OF_NETWORK, reply_of(settlement))))
    assert lines.counts() == {"PostbacksPending": 1, "NetworkPostbacks": 1}
    assert lines.values("network") == {"NetworkPostbacks": [1]}
    assert [line["network"] for line in lines.metrics if "network" in line] == ["net_1"]


def test_a_credit_is_counted_as_a_status_and_as_an_amount(written):
    lines = written(lambda: telemetry.record(ConversionChanges(map(change, story(a_report(amount="2.5"))))))
    assert lines.counts() == {"ConversionsCreated": 1, "ConversionsApproved": 1, "ConversionsCredited": 1}
    assert lines.values("currency") == {"AmountCredited": [2.5]}
    assert [line["currency"] for line in lines.metrics if "currency" in line] == ["USD"]


def test_a_reversal_is_counted_with_the_amount_it_takes_back(written):
    _, partly, wholly = story(
        a_report(amount=5), a_report(Status.REVERSED, amount=2), a_report(Status.REVERSED, source_status="refund")
    )
    lines = written(lambda: telemetry.record(ConversionChanges([change(partly)])))
    assert lines.counts() == {}  # the rest is still approved
    assert lines.values("currency") == {"AmountReversed": [2.0]}
    lines = written(lambda: telemetry.record(ConversionChanges([change(wholly)])))
    assert lines.counts() == {"ConversionsReversed": 1}
    assert lines.values("currency") == {"AmountReversed": [3.0]}


def test_each_currency_has_one_line_for_credits_and_one_for_reversals(written):
    changes = [
        *map(change, story(a_report(amount=5), a_report(Status.REVERSED))),
        *((None, a_conversion(currency=currency, credited=2)) for currency in ("USD", "EUR", "EUR")),
        (a_conversion(), None),
    ]
    lines = written(lambda: telemetry.record(ConversionChanges(changes)))
    expected = {"ConversionsApproved": 4, "ConversionsReversed": 1, "ConversionsCreated": 4, "ConversionsCredited": 4}
    assert lines.counts() == expected
    moved = [(line["currency"], line.get("AmountCredited"), line.get("AmountReversed")) for line in lines.metrics[:-1]]
    assert moved == [("USD", [7.0], None), ("EUR", [4.0], None), ("USD", None, [5.0])]


def test_a_conversion_without_a_credit_has_no_amount(written):
    lines = written(lambda: telemetry.record(ConversionChanges(map(change, story(a_report(Status.PENDING))))))
    assert lines.counts() == {"ConversionsCreated": 1, "ConversionsPending": 1}
    assert lines.values("currency") == {}


def test_a_conversion_is_counted_once_as_created_and_once_as_credited(written):
    changes = [*map(change, story(a_report(Status.PENDING), a_report(amount=5), a_report(Status.REVERSED, amount=2)))]
    counts = written(lambda: telemetry.record(ConversionChanges(changes))).counts()
    assert (counts["ConversionsCreated"], counts["ConversionsCredited"]) == (1, 1)
    assert (counts["ConversionsPending"], counts["ConversionsApproved"]) == (1, 1)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_metric(outcome):
    assert outcome.metric.name.startswith("POSTBACKS_")


@pytest.mark.parametrize("status", Status)
def test_every_status_is_an_outcome_and_has_a_metric(status):
    assert Outcome(status) == status
    assert STATUSES[status].metric.name == f"CONVERSIONS_{status.name}"


@pytest.mark.parametrize(
    ("refusal", "metric"),
    [
        (ConflictingReplayError("another amount"), "ConflictingReplays"),
        (PostbackNotAuthenticatedError("wrong token"), "PostbackSignaturesRejected"),
        (ClickExpiredError("expired"), "PostbacksRefused"),
    ],
)
def test_a_refusal_is_counted_by_its_kind_and_logged_with_its_sender_and_code(written, refusal, metric):
    lines = written(lambda: telemetry.record(PostbackRefused("RCPT-1", OF_NETWORK, refusal)))
    assert lines.counts() == {metric: 1}
    (entry,) = lines.log
    assert (entry["network_id"], entry["click_id"], entry["receipt_id"]) == ("net_1", CLICK_ID, "RCPT-1")
    assert entry["code"] == refusal.code


def test_for_an_unidentified_sender_only_the_receipt_is_logged(written):
    refused = PostbackRefused("RCPT-1", UNIDENTIFIED, ClickExpiredError("expired"))
    (entry,) = written(lambda: telemetry.record(refused)).log
    assert not {"network_id", "product_id", "click_id", "_id"} & set(entry)


@pytest.mark.parametrize(
    ("failure", "counts"), [(LedgerBusyError("busy"), {"LedgerBusy": 1}), (RuntimeError("broken"), {})]
)
def test_a_failure_on_our_side_is_logged_as_an_error_and_a_busy_ledger_is_counted(written, failure, counts):
    lines = written(lambda: telemetry.record(PostbackFailed("RCPT-1", OF_NETWORK, failure)))
    assert lines.counts() == counts
    (entry,) = lines.log
    assert (entry["level"], entry["receipt_id"], entry["exception_name"]) == ("ERROR", "RCPT-1", type(failure).__name__)
    assert (entry["network_id"], entry["click_id"]) == ("net_1", CLICK_ID)


@pytest.mark.parametrize("network_id", ["net_1", None], ids=["of a paused network", "nobody's"])
def test_a_postback_to_an_unused_key_is_counted_as_refused_and_logged_with_its_network(written, network_id):
    refusal = NetworkNotFoundError("there is no such postback URL")
    refusal.network_id = network_id
    lines = written(lambda: telemetry.record(PostbackRefused(None, None, refusal)))
    assert lines.counts() == {"PostbacksRefused": 1}
    (entry,) = lines.log
    assert (entry["code"], entry.get("network_id")) == ("NETWORK_NOT_FOUND", network_id)
    assert "receipt_id" not in entry
    *_, failed = written(lambda: telemetry.record(PostbackFailed("RCPT-1", None, refusal))).log
    assert (failed["message"], failed.get("network_id")) == ("postback failed on our side", network_id)


def test_quiet_networks_are_counted_and_named(written):
    lines = written(lambda: telemetry.record(QuietNetworks(["net_1", "net_2"])))
    assert lines.counts() == {"QuietNetworks": 2}
    assert [(entry["level"], entry["network_id"]) for entry in lines.log] == [
        ("WARNING", "net_1"),
        ("WARNING", "net_2"),
    ]
    assert written(lambda: telemetry.record(QuietNetworks([]))).counts() == {"QuietNetworks": 0}


def test_the_metric_line_of_a_visit_contains_its_click(written):
    for click_id in (CLICK_ID, "another"):
        lines = written(lambda click_id=click_id: telemetry.count(Metric.VISITS, message="visit", click_id=click_id))
        assert (lines.counts(), lines.log) == ({"Visits": 1}, [])
        assert [(line["message"], line["click_id"]) for line in lines.metrics] == [("visit", click_id)]
    assert "click_id" not in str(written(lambda: telemetry.count(Metric.VISITS)).metrics)


def test_held_earnings_are_counted_as_credited_or_failed_and_failures_are_logged_as_errors(written):
    ledger = InMemoryLedger(a_product(hold_days=7))
    owed = ledger.report(a_report(amount=3)).conversion
    settled = CreditRun([ledger.release(owed.conversion_id, IN_AN_HOUR)], failed={"EARN-1": LedgerBusyError("busy")})
    lines = written(lambda: telemetry.record(settled))
    assert lines.counts() == {"HeldEarningsCredited": 1, "HeldEarningsFailed": 1}
    credited, failed = lines.log
    assert (credited["message"], credited["conversion_id"]) == ("credited", owed.conversion_id)
    assert (failed["level"], failed["earning_id"], failed["exception_name"]) == ("ERROR", "EARN-1", "LedgerBusyError")


def test_a_run_without_due_earnings_counts_zero(written):
    assert written(lambda: telemetry.record(CreditRun())).counts() == {
        "HeldEarningsCredited": 0,
        "HeldEarningsFailed": 0,
    }


def test_a_partners_reply_is_counted_as_applied_or_ignored(written):
    ledger = InMemoryLedger()
    lead = ledger.report(a_report(Status.PENDING, amount=3)).conversion
    ids = {"partner_id": "part_1", "conversion_id": lead.conversion_id, "delivery_id": f"{lead.conversion_id}.1.part_1"}
    reply = PartnerReply(version=1, status=Status.APPROVED, **ids)
    result = ReplyResult(reply, ledger.decide(lead.conversion_id, reply.status))
    lines = written(lambda: telemetry.record(result))
    assert lines.counts() == {"PartnerRepliesApplied": 1}
    ignored = written(lambda: telemetry.record(ReplyResult(reply, None)))
    assert ignored.counts() == {"PartnerRepliesIgnored": 1}
    assert [(line["outcome"], ids.items() <= line.items()) for line in ignored.log] == [
        ("credited", True),
        ("ignored", True),
    ]


@pytest.mark.parametrize(("amount", "metric"), [("0.5", "ReferralCredited"), ("-0.5", "ReferralReversed")])
def test_a_commission_is_counted_in_its_currency(written, amount, metric):
    earning = Earning(
        user_id="user_2",
        earning_id="EARN-1",
        type=EarningType.REFERRAL,
        amount=Decimal(amount),
        currency="EUR",
        status=EarningStatus.COMPLETED,
        approval_status=ApprovalStatus.AUTO_APPROVED,
        conversion_id="CONV-1",
        earned_at=NOON,
    )
    lines = written(lambda: telemetry.record(Commission(earning)))
    assert lines.counts() == {"ReferralCommissions": 1}
    assert lines.values("currency") == {metric: [0.5]}
    assert "user_2" not in json.dumps(lines.log)


def attempted(state: DeliveryState, number: int, status_code: int = 200, **changes):
    tried = {"attempt_count": number, "attempts": (an_attempt(status_code),), "state": state}
    return a_delivery(a_notice(timestamp=NOON)).with_changes(**tried | changes)


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        (attempted(DeliveryState.DELIVERED, 1), {"FirstAttemptsDelivered"}),
        (attempted(DeliveryState.RETRYING, 1, 503), {"FirstAttemptsFailed"}),
        (attempted(DeliveryState.DELIVERED, 2), {"RetriesDelivered"}),
        (attempted(DeliveryState.RETRYING, 2, 503), {"RetriesFailed"}),
        (attempted(DeliveryState.PARKED, 11, 503), {"RetriesFailed", "DeliveriesParked"}),
        (attempted(DeliveryState.PARKED, 2, 503, detail="the partner was archived"), {"DeliveriesParked"}),
        (attempted(DeliveryState.SUPERSEDED, 2, 503), {"DeliveriesSuperseded"}),
        (attempted(DeliveryState.RETRYING, 2, 503, held_by=Hold.BREAKER), {"DeliveriesHeld"}),
        (a_delivery(attempt_count=0), set()),
    ],
)
def test_a_delivery_is_counted_by_outcome_and_attempt(written, row, counts):
    counted = set(written(lambda: telemetry.record_each([row])).counts())
    assert counted - {"FirstDeliveryLatency", "RetryAge"} == counts


def test_the_latency_of_a_first_delivery_is_measured_from_the_change_of_status(written):
    row = attempted(DeliveryState.DELIVERED, 1, updated_at="2026-03-01T12:00:01.250Z")
    assert written(lambda: telemetry.record_each([row])).values()["FirstDeliveryLatency"] == [1250]


def test_the_age_of_a_retry_is_measured_from_the_creation_of_its_row(written):
    row = attempted(DeliveryState.DELIVERED, 3, created_at=NOON, updated_at=IN_AN_HOUR)
    assert written(lambda: telemetry.record_each([row])).values()["RetryAge"] == [3600]


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        (Metric.BREAKER_OPENED, "breaker_opened"),
        (Metric.BREAKER_HALF_OPEN, "breaker_half_open"),
        (Metric.BREAKER_CLOSED, "breaker_closed"),
        (Metric.PARTNER_FAILING, "partner_failing"),
        (Metric.PARTNER_PAUSED, "partner_paused"),
    ],
)
def test_a_change_in_a_partners_health_is_counted_and_logged(written, metric, kind):
    changes = HealthChanges([HealthChange("part_1", metric, {"failures": 5})])
    lines = written(lambda: telemetry.record(changes))
    assert lines.counts() == {metric.title: 1}
    assert [(entry["message"], entry["partner_id"]) for entry in lines.log] == [(kind, "part_1")]


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (Breaker.CLOSED, Breaker.OPEN, "breaker_opened"),
        (Breaker.OPEN, Breaker.RECOVERING, "breaker_half_open"),
        (Breaker.RECOVERING, Breaker.CLOSED, "breaker_closed"),
    ],
)
def test_each_transition_of_a_breaker_is_a_change_of_its_own(was, now, kind):
    fields = {"kind": "partner", "subject": "p", "updated_at": NOON, "ttl": 0}
    before, after = PartnerHealth(**fields, breaker=was), PartnerHealth(**fields, breaker=now)
    assert [change.kind for change in partner_gate._breaker_changes(before, after)] == [kind]


def test_partner_health_that_could_not_be_written_is_logged_as_an_error(written):
    lines = written(lambda: telemetry.record(HealthChanges(failures=[LedgerBusyError("busy")])))
    assert lines.counts() == {"PartnerHealthFailures": 1}
    assert [(entry["level"], entry["message"]) for entry in lines.log] == [("ERROR", "partner health not written")]


def test_one_postback_writes_less_than_a_kilobyte_of_log_and_in_each_metric_line(written):
    (settlement,) = story(a_report(amount="12345.678901", network_id="net_1"))
    lines = written(
        lambda: telemetry.record(PostbackProcessed("RCPT-01234567890123456789", OF_NETWORK, reply_of(settlement)))
    )
    assert sum(len(json.dumps(entry, separators=(",", ":"))) for entry in lines.log) < KILOBYTE
    assert max(lines.sizes) < KILOBYTE


def test_many_deliveries_are_split_into_short_lines_and_all_are_counted(written):
    states = [
        attempted(DeliveryState.DELIVERED, 1, updated_at="2026-03-04T11:59:59.999Z"),
        attempted(DeliveryState.RETRYING, 1, 503),
        attempted(DeliveryState.DELIVERED, 11, updated_at="2026-03-04T11:59:59.999Z"),
        attempted(DeliveryState.PARKED, 11, 503, updated_at="2026-03-04T11:59:59.999Z"),
        attempted(DeliveryState.RETRYING, 2, 503, held_by=Hold.RATE),
        attempted(DeliveryState.SUPERSEDED, 2, 503),
    ]
    lines = written(lambda: telemetry.record_each(states * 20))
    assert max(lines.sizes) < KILOBYTE
    assert max(len(json.dumps(entry, separators=(",", ":"))) for entry in lines.log) < KILOBYTE
    totals = [
        sum(line.get(name, [])) for name in ("FirstAttemptsDelivered", "DeliveriesHeld") for line in lines.metrics
    ]
    assert sum(totals) == 40


def test_a_metric_line_contains_units_and_the_common_service_name(written):
    lines = written(lambda: telemetry.record_each([attempted(DeliveryState.DELIVERED, 1)]))
    (directive,) = lines.metrics[0]["_aws"]["CloudWatchMetrics"]
    assert lines.metrics[0]["service"] == telemetry.SERVICE == "ricochet"
    assert directive["Namespace"] == "Ricochet/test"
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        metric.title: metric.unit for metric in (Metric.FIRST_ATTEMPTS_DELIVERED, Metric.FIRST_DELIVERY_LATENCY)
    }


def test_a_log_line_is_one_line_whatever_was_sent(written):
    reason = "preset: \u0085\u2028\u2029 is unknown"
    lines = written(lambda: telemetry.logger.info("refused", extra={"reason": reason}))
    assert [line["reason"] for line in lines.log] == [reason]
