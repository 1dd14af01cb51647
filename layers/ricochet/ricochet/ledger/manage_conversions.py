"""Operators list conversions, and correct a status by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, StringConstraints

from ricochet.dynamodb.paging import Page
from ricochet.ledger import manage_earnings
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision, check_status
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.manage_earnings import Reason
from ricochet.ledger.settlement import Settlement
from ricochet.values.entity import Entity
from ricochet.values.inputs import validate
from ricochet.values.statuses import Status

HIDDEN = {"day_shard", "reports"}


def _real_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_real_day)]


class ConversionQuery(Entity):
    """The day (UTC) on which they changed last; and what they are."""

    day: Day
    status: Status | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        return validate({name: value for name, value in query.items() if value}, cls)


class StatusInput(Entity):
    status: Status
    reason: Reason


class ManageConversions:
    def __init__(self, conversions: ConversionsTable, earnings: EarningsTable, decisions: DecideConversion) -> None:
        self._conversions = conversions
        self._earnings = earnings
        self._decisions = decisions

    def list_page(self, query: ConversionQuery, limit: int, cursor: str | None) -> Page[Conversion]:
        """Newest first. With a status a page may be short without being the last."""
        return self._conversions.of_day(query.day, query.status, limit, cursor)

    def get(self, conversion_id: str) -> Conversion:
        return self._decisions.conversion(conversion_id)

    def correct(self, conversion_id: str, decision: Decision) -> Settlement:
        """What was written; StatusNotPossibleError where the state machine knows no such step."""
        return self._decisions(decision, conversion_id, lambda prior: check_status(decision.status, prior))

    def shown(self, conversion: Conversion) -> dict[str, Any]:
        """All of it, with the user's rows for it."""
        rows = self._earnings.of_conversion(conversion)
        return conversion.to_json(leave_out=HIDDEN) | {"earnings": [manage_earnings.shown(row) for row in rows]}


def summary(conversion: Conversion) -> dict[str, Any]:
    return conversion.to_json(leave_out=HIDDEN | {"versions", "ip"})
