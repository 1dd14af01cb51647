"""The one way in for conversions: parse, authenticate, map, decide, write in one transaction.

Who reports (an advertiser, a network) differs in the first three; `Source` is what they have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from ricochet.clicks.click import ClickResult, shown_conversion_id
from ricochet.errors import BodyTooLargeError, InvalidBodyError, NotAConversionError, RequestError
from ricochet.intake.raw_postback import RawPostback, receipt_of
from ricochet.ledger.consequences import click_result
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.outcome import Outcome
from ricochet.ledger.receipt import Receipt
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.ledger.report import Report
from ricochet.ledger.settlement import Settlement, repeats, settle
from ricochet.ledger.terms import Terms
from ricochet.ledger.transaction import Latest, Ledger
from ricochet.values import money, times
from ricochet.values.statuses import STATUSES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.ledger.settings import LedgerSettings

Fields = dict[str, Any]


class Source(Protocol):
    """Somebody who reports conversions, in the course of one postback."""

    name: str | None
    """`product:<id>` or `network:<id>`; None until it is known who speaks."""
    click_id: str | None
    """Which click the postback is about, as far as is known yet."""
    secret_fields: frozenset[str]
    """Names of parameters that receipts must not show."""

    def parse(self, raw: RawPostback) -> Fields: ...

    def authenticate(self, raw: RawPostback, fields: Fields) -> None:
        """PostbackNotAuthenticatedError, and whatever else keeps it from being known who speaks."""

    def map(self, raw: RawPostback, fields: Fields) -> Report:
        """In our words. OnlyReceiptError if there is nothing to be done; RequestError if it makes no sense."""

    def terms(self, report: Report, prior: Conversion | None) -> Terms:
        """On whose behalf it counts; what the report leaves out is as it was (`prior`)."""


@dataclass(frozen=True)
class IntakeReply:
    """What became of a postback: the outcome for logs and metrics, and what it led to, if anything."""

    outcome: Outcome
    click_id: str | None = None
    led_to: ClickResult | None = None

    @property
    def is_duplicate(self) -> bool:
        return self.outcome is Outcome.REPEAT

    def to_json(self) -> dict[str, Any]:
        """What an advertiser is told."""
        if self.led_to is None:
            return {"clickId": self.click_id}
        data = {
            "earningId": self.led_to.earning_id,
            "clickId": self.click_id,
            "conversionId": shown_conversion_id(self.led_to),
            "status": STATUSES[self.led_to.status].earning,
            "amount": money.json_number(self.led_to.amount),
        }
        return data | {"duplicate": True} if self.is_duplicate else data

    def log_fields(self, receipt_id: str) -> dict[str, Any]:
        return {
            "receipt_id": receipt_id,
            "click_id": self.click_id,
            "conversion_id": self.led_to.conversion_id if self.led_to else None,
            "outcome": self.outcome,
        }


@dataclass
class _Case:
    """The postback in hand and what is known of it so far; its receipt is written from this."""

    raw: RawPostback
    source: Source
    trusted: bool = False
    conversion_id: str | None = None


class Intake:
    def __init__(self, ledger: Ledger, receipts: ReceiptsTable, clock: Callable[[], str] = times.now) -> None:
        self._ledger = ledger
        self._receipts = receipts
        self._clock = clock

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: LedgerSettings) -> Self:
        return cls(Ledger.from_settings(client, settings), ReceiptsTable(client, settings.receipts_table))

    def __call__(self, raw: RawPostback, source: Source, *, vouched_for: bool = False) -> IntakeReply:
        """What the postback led to.

        A RequestError says why it was refused, and a receipt keeps it. Any other error is our own side's: nothing
        was decided, and the same `raw` may be given again later. `vouched_for`: an operator did, so nobody else must.
        """
        case = _Case(raw, source)
        try:
            return self._take(case, vouched_for=vouched_for)
        except NotAConversionError as reason:
            self._keep(case, Outcome.ONLY_RECEIPT, reason.message)
            return IntakeReply(Outcome.ONLY_RECEIPT, source.click_id)
        except RequestError as refusal:
            self._keep(case, refusal.code.lower(), refusal.message)
            raise

    def _take(self, case: _Case, *, vouched_for: bool) -> IntakeReply:
        raw, source = case.raw, case.source
        fields = _parse(raw, source)
        if not vouched_for:
            source.authenticate(raw, fields)
        case.trusted = True
        report = source.map(raw, fields)
        case.conversion_id = report.conversion_id
        return self._decide_and_write(case, report)

    def _decide_and_write(self, case: _Case, report: Report) -> IntakeReply:
        terms = case.source.terms(report, None)
        known = terms.click.outcome if terms.click else None
        if known and repeats(report, known):
            return IntakeReply(Outcome.REPEAT, report.click_id, known)
        prior = self._ledger.conversion(report.conversion_id) if known else None

        def decide(latest: Latest) -> Settlement:
            current = case.source.terms(report, latest.conversion) if latest.conversion else terms
            current = replace(current, click=latest.click or current.click, cap_reached=latest.cap_reached)
            return settle(report, current, latest.conversion or prior, self._clock())

        settlement = self._ledger.apply(
            decide, lambda written: _receipt(case, written.outcome, earning_id=written.conversion.earning_id)
        )
        if settlement.is_ignored:
            self._keep(case, Outcome.IGNORED, f"{report.status} changes nothing now")
        return IntakeReply(settlement.outcome, report.click_id, click_result(settlement.conversion))

    def _keep(self, case: _Case, outcome: str, detail: str) -> None:
        self._receipts.put(_receipt(case, outcome, detail=detail))


def _receipt(case: _Case, outcome: str, **more: str | None) -> Receipt:
    return receipt_of(
        case.raw,
        outcome,
        trusted=case.trusted,
        secret_fields=case.source.secret_fields,
        source=case.source.name,
        click_id=case.source.click_id,
        conversion_id=case.conversion_id,
        **more,
    )


def _parse(raw: RawPostback, source: Source) -> Fields:
    """The postback's fields; where the body makes no sense, the receipt still says which click it was for."""
    try:
        return source.parse(raw)
    except (InvalidBodyError, BodyTooLargeError):
        source.click_id = source.click_id or raw.query_fields().get("click_id", "")[:128] or None
        raise
