"""Operators list conversions, and correct a status by hand."""

from __future__ import annotations

from dataclasses import dataclass

from ricochet.dynamodb.paging import Page
from ricochet.ledger.conversion import Conversion, PastVersion
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision, check_status
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.manage_earnings import LedgerRow
from ricochet.values.change import Audit, Change
from ricochet.values.entity import Model, PageView, Shown, Unaudited
from ricochet.values.inputs import Day, QueryInput, Reason
from ricochet.values.statuses import Status


class ConversionQuery(QueryInput):
    """The day (UTC) on which they changed last; and what they are."""

    day: Day
    status: Status | None = None


class StatusInput(Model):
    status: Status
    reason: Reason


class ConversionView(Conversion):
    """A conversion with the user's rows for it."""

    ip: Unaudited[str | None] = None
    earnings: Shown[tuple[LedgerRow, ...]]


class ConversionSummary(Conversion):
    """A conversion in a list."""

    versions: tuple[PastVersion, ...] = ()  # not shown there


class Conversions(PageView[ConversionSummary]):
    pass


@dataclass(frozen=True)
class ManageConversions:
    conversions: ConversionsTable
    earnings: EarningsTable
    decisions: DecideConversion
    audit: Audit

    def list_page(self, query: ConversionQuery, limit: int, cursor: str | None) -> Page[Conversion]:
        """Newest first. With a status a page may be short without being the last."""
        return self.conversions.of_day(query.day, query.status, limit, cursor)

    def get(self, conversion_id: str) -> ConversionView:
        return self._shown(self.decisions.conversion(conversion_id))

    def correct(self, conversion_id: str, given: StatusInput) -> ConversionView:
        """The conversion as it is now; StatusNotPossibleError where the state machine knows no such step."""
        decision = Decision(f"operator:{self.audit.who}", given.status, given.reason)
        settlement = self.decisions(decision, conversion_id, lambda prior: check_status(given.status, prior))
        change = Change(settlement.prior, settlement.conversion)
        self.audit.record_change(
            "conversion.corrected", conversion_id, change, given.reason, conversion_id=conversion_id
        )
        return self._shown(change.after)

    def _shown(self, conversion: Conversion) -> ConversionView:
        rows = map(LedgerRow.from_entity, self.earnings.of_conversion(conversion))
        return ConversionView.from_entity(conversion, earnings=tuple(rows))
