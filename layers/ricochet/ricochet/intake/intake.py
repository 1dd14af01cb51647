"""Processes a postback: read, identify, authenticate, report, settle, and write in one transaction.

An advertiser and a network differ in all but the last two steps; `Source` is what they have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, Self

from ricochet.errors import NotAConversionError, RequestError
from ricochet.intake.claim import Claim
from ricochet.intake.postback_records import PostbackFailed, PostbackProcessed, PostbackRefused
from ricochet.intake.raw_postback import RawPostback, receipt_of
from ricochet.intake.reply import IntakeReply
from ricochet.ledger.consequences import click_result
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.receipt import Receipt
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.ledger.report import Report
from ricochet.ledger.settlement import Settlement, repeats, settle
from ricochet.ledger.terms import Terms
from ricochet.ledger.transaction import Latest, Ledger
from ricochet.records import Recordable
from ricochet.values import times
from ricochet.values.statuses import Outcome
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.ledger.settings import LedgerSettings

Record = Callable[[Recordable], None]


class Source(Protocol):
    """A sender of conversions. Each step takes the claim, what is known so far, and returns one that knows more."""

    secret_fields: frozenset[str]
    """Names of parameters that receipts must not show."""

    def read(self, raw: RawPostback) -> Claim: ...

    def identify(self, claim: Claim) -> Claim:
        """Return the claim with the click that identifies its sender. Raise ClickNotFoundError if there is none."""

    def authenticate(self, raw: RawPostback, claim: Claim) -> Claim:
        """Return the claim as trusted. Raise PostbackNotAuthenticatedError if its sender does not prove itself."""

    def trust(self, claim: Claim) -> Claim:
        """Return the claim as trusted without a proof: an operator vouches for it."""

    def report(self, raw: RawPostback, claim: Claim) -> Report:
        """Raise NotAConversionError if there is nothing to record, RequestError if the fields are invalid."""

    def terms(self, report: Report, claim: Claim, prior: Conversion | None) -> Terms:
        """Return the terms of the report; what it leaves out is as in `prior`."""


@dataclass
class _Postback:
    """The postback that is being processed, and what is known of it so far; receipts are written from this."""

    raw: RawPostback
    source: Source
    is_vouched: bool
    claim: Claim = field(default_factory=Claim)
    conversion_id: str | None = None

    def receipt(self, outcome: str, **more: str | None) -> Receipt:
        return receipt_of(
            self.raw,
            outcome,
            trusted=self.claim.is_trusted or self.is_vouched,
            secret_fields=self.source.secret_fields,
            source=self.claim.source,
            click_id=self.claim.click_id,
            conversion_id=self.conversion_id,
            **more,
        )


@dataclass(frozen=True)
class Intake:
    """`record` logs and counts the result of each postback."""

    ledger: Ledger
    receipts: ReceiptsTable
    clock: Callable[[], Moment] = times.now
    record: Record = lambda _: None

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: LedgerSettings, record: Record = lambda _: None) -> Self:
        receipts = ReceiptsTable(client, settings.receipts_table)
        return cls(Ledger.from_settings(client, settings), receipts, record=record)

    def __call__(self, raw: RawPostback, source: Source, *, is_vouched: bool = False) -> IntakeReply:
        """Return what the postback led to. `is_vouched`: an operator vouches for it, so it needs no proof.

        Raise RequestError if it is refused; a receipt keeps the reason. Any other error is a failure on our side:
        nothing was decided, and the same `raw` may be given again later.
        """
        postback = _Postback(raw, source, is_vouched)
        try:
            reply = self._process(postback)
        except RequestError as refusal:
            self.record(PostbackRefused(raw.receipt_id, postback.claim, refusal))
            raise
        except Exception as failure:
            self.record(PostbackFailed(raw.receipt_id, postback.claim, failure))
            raise
        self.record(PostbackProcessed(raw.receipt_id, postback.claim, reply))
        return reply

    def _process(self, postback: _Postback) -> IntakeReply:
        try:
            return self._settle(postback, self._report(postback))
        except NotAConversionError as reason:
            self._keep(postback, Outcome.ONLY_RECEIPT, reason.message)
            return IntakeReply(Outcome.ONLY_RECEIPT, postback.claim.click_id)
        except RequestError as refusal:
            self._keep(postback, refusal.code.lower(), refusal.message)
            raise

    def _report(self, postback: _Postback) -> Report:
        raw, source = postback.raw, postback.source
        postback.claim = source.read(raw)
        postback.claim = source.identify(postback.claim.checked())
        postback.claim = (
            source.trust(postback.claim) if postback.is_vouched else source.authenticate(raw, postback.claim)
        )
        return source.report(raw, postback.claim.checked())

    def _settle(self, postback: _Postback, report: Report) -> IntakeReply:
        postback.conversion_id = report.conversion_id
        source, claim = postback.source, postback.claim
        terms = source.terms(report, claim, None)
        known = terms.click.outcome if terms.click else None
        if known and repeats(report, known):
            return IntakeReply(Outcome.REPEAT, report.click_id, known)
        prior = self.ledger.conversion(report.conversion_id) if known else None

        def decide(latest: Latest) -> Settlement:
            current = source.terms(report, claim, latest.conversion) if latest.conversion else terms
            current = replace(current, click=latest.click or current.click, cap_reached=latest.cap_reached)
            return settle(report, current, latest.conversion or prior, self.clock())

        settlement = self.ledger.apply(
            decide, lambda written: postback.receipt(written.outcome, earning_id=written.conversion.earning_id)
        )
        if settlement.is_ignored:
            self._keep(postback, Outcome.IGNORED, f"{report.status} changes nothing now")
        return IntakeReply(settlement.outcome, report.click_id, click_result(settlement.conversion))

    def _keep(self, postback: _Postback, outcome: str, detail: str) -> None:
        self.receipts.put(postback.receipt(outcome, detail=detail))
