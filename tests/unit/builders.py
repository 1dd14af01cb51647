"""Valid entities for tests, and a ledger in memory."""

from collections import Counter, defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ricochet.clicks.click import Click
from ricochet.clicks.product import Product, hash_token
from ricochet.delivery.delivery import Delivery, DeliveryState, new_delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import HealthChanges
from ricochet.http.attempt import Attempt
from ricochet.intake.advertiser_source import advertiser_terms
from ricochet.intake.raw_postback import RawPostback
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.decision import Decision, check_status, check_waiting, decide
from ricochet.ledger.earning import Earning, EarningState
from ricochet.ledger.notice import Notice
from ricochet.ledger.report import Report
from ricochet.ledger.settlement import Settlement, credit_owed, settle
from ricochet.ledger.terms import Terms
from ricochet.values.change import Audit
from ricochet.values.statuses import EarningStatus, Status

NOON = "2026-03-01T12:00:00.000Z"
IN_AN_HOUR = "2026-03-01T13:00:00.000Z"
TOMORROW = "2026-03-02T12:00:00.000Z"
CLICK_ID = "1b4e28ba-2fa1-4d1a-883f-0016d3cca427"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RATE = Decimal("0.1")


def a_product(**changes) -> Product:
    fields = {
        "product_id": "prod_1",
        "name": "Shop",
        "task_url": "https://shop.example/offer",
        "allowed_hosts": ("shop.example",),
        "earn_up_to": 5,
        "currency": "USD",
        "postback_token_hash": hash_token("pbt_right"),
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Product(**fields | changes)


def a_click(**changes) -> Click:
    fields = {
        "click_id": CLICK_ID,
        "user_id": "user_1",
        "product_id": "prod_1",
        "task_url": "https://shop.example/offer",
        "created_at": NOON,
        "expires_at": TOMORROW,
        "ttl": 0,
    }
    return Click(**fields | changes)


def a_report(status: Status = Status.APPROVED, amount: str | int | None = None, **changes) -> Report:
    fields = {
        "source": "product:prod_1",
        "click_id": CLICK_ID,
        "status": status,
        "source_status": status.lead_word,
        "amount": amount,
        "transaction_id": "T-1",
        "received_at": IN_AN_HOUR,
    }
    return Report(**fields | changes)


def a_conversion(**changes) -> Conversion:
    fields = {
        "conversion_id": "CONV-1",
        "source": "product:prod_1",
        "status": Status.APPROVED,
        "source_status": "Purchase",
        "reported": Status.APPROVED,
        "version": 1,
        "click_id": CLICK_ID,
        "user_id": "user_1",
        "product_id": "prod_1",
        "amount": 5,
        "currency": "USD",
        "credited": 5,
        "credited_at": IN_AN_HOUR,
        "referral_rate": RATE,
        "created_at": IN_AN_HOUR,
        "updated_at": IN_AN_HOUR,
    }
    return Conversion(**fields | changes)


def a_notice(**changes) -> Notice:
    fields = {
        "click_id": CLICK_ID,
        "status": Status.APPROVED,
        "original_status": "sale",
        "payout": "2.5",
        "currency": "USD",
        "conversion_id": "CONV-1",
        "timestamp": IN_AN_HOUR,
    }
    return Notice(**fields | changes)


def a_delivery(notice: Notice | None = None, **changes) -> Delivery:
    state = {"state": DeliveryState.RETRYING, "attempt_count": 1} | changes
    return new_delivery("CONV-1", 1, "part_1", notice or a_notice(), IN_AN_HOUR, **state)


def an_attempt(status_code: int | None = 200, **changes) -> Attempt:
    return Attempt(**{"at": IN_AN_HOUR, "ms": 12, "status_code": status_code} | changes)


def a_partner(**changes) -> Partner:
    fields = {
        "partner_id": "part_1",
        "name": "Partner",
        "postback_url": "https://partner.example/cb?click={click_id}&status={status}",
        "signing_secret": SECRET,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Partner(**fields | changes)


def a_postback(**changes) -> RawPostback:
    fields = {
        "receipt_id": "RCPT-1",
        "received_at": IN_AN_HOUR,
        "method": "POST",
        "path": "/api/v1/earn/postback",
        "source_ip": "192.0.2.7",
    }
    return RawPostback(**fields | changes)


class RecordedAudit(Audit):
    """Keeps the audit lines that were written."""

    who = "op_1"

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, line, ids):
        self.lines.append({**ids, **line})


class OpenGate:
    """A gate that lets all partners pass except those in `waits`, and records attempts."""

    def __init__(self, **waits) -> None:
        self.waits, self.health_changes = waits, []

    def open_session(self):
        return self

    def check(self, partner):
        return self.waits.get(partner.partner_id)

    def record(self, partner_id, attempt):
        self.health_changes.append((partner_id, attempt.status_code))

    def flush(self):
        return HealthChanges()


class InMemoryLedger:
    """One click and its ledger in memory: each report is settled against the current state and entered."""

    def __init__(self, product: Product | None = None, click: Click | None = None) -> None:
        self.product = product or a_product()
        self.click = click or a_click()
        self.conversions: dict[str, Conversion] = {}
        self.rows: dict[str, Earning] = {}
        self.balance: dict[str, Decimal] = defaultdict(Decimal)
        self.pending: dict[str, Decimal] = defaultdict(Decimal)
        self.lifetime: dict[str, Decimal] = defaultdict(Decimal)
        self.counters: Counter[str] = Counter()

    def report(self, report: Report, moment: str = IN_AN_HOUR) -> Settlement:
        prior, terms = self.conversions.get(report.conversion_id), self.terms()
        settlement = settle(report, terms, prior, moment)
        for count in settlement.counts:
            if count.limit is not None and self.counters[count.counter_id] >= count.limit:
                settlement = settle(report, replace(terms, cap_reached=count.reason), prior, moment)
                break
        if not (settlement.is_repeat or settlement.is_ignored):
            self._enter(settlement)
        return settlement

    def terms(self) -> Terms:
        return advertiser_terms(self.click, self.product, RATE)

    def decide(self, conversion_id: str, status: Status, moment: str = IN_AN_HOUR) -> Settlement:
        """Correct the status, as an operator would."""
        check_status(status, self.conversions[conversion_id])
        return self._decided(conversion_id, status, moment)

    def decide_on_earning(self, conversion_id: str, status: Status, moment: str = IN_AN_HOUR) -> Settlement:
        """Approve or reject a waiting earning, as an operator would."""
        prior = self.conversions[conversion_id]
        check_waiting(prior.earning_id or "", prior)
        return self._decided(conversion_id, status, moment)

    def release(self, conversion_id: str, moment: str) -> Settlement:
        """Credit the amount owed, as the schedule would."""
        return self._entered(credit_owed(self.conversions[conversion_id], moment))

    def sum_of_rows(self, status: EarningStatus) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in self.rows.values():
            if row.status is status:
                sums[row.currency] += row.amount
        return sums

    def _decided(self, conversion_id: str, status: Status, moment: str) -> Settlement:
        prior, decision = self.conversions[conversion_id], Decision("operator:op_1", status)
        return self._entered(decide(decision, prior, self.click, self.product, moment))

    def _entered(self, settlement: Settlement) -> Settlement:
        self._enter(settlement)
        return settlement

    def _enter(self, settlement: Settlement) -> None:
        self.conversions[settlement.conversion.conversion_id] = settlement.conversion
        if change := settlement.click:
            self.click = self.click.with_changes(
                status=change.status, outcome=change.outcome, closed=change.closed or None
            )
        if row := settlement.new_earning:
            assert row.earning_id not in self.rows, "a ledger row would be overwritten"
            self.rows[row.earning_id] = row
        if change := settlement.earning_change:
            before = self.rows[change.earning_id]
            assert before.status is EarningStatus.PENDING, "a settled ledger row would change"
            self.rows[change.earning_id] = before.with_changes(
                **{name: getattr(change, name) for name in EarningState.model_fields}
            )
        if wallet := settlement.wallet_change:
            self.balance[wallet.currency] += wallet.balance
            self.pending[wallet.currency] += wallet.pending
            self.lifetime[wallet.currency] += wallet.lifetime
        self.counters.update(count.counter_id for count in settlement.counts)
