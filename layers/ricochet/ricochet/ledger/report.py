"""A report: what one authenticated postback, an operator or a partner says about a conversion."""

from __future__ import annotations

from functools import cached_property

from ricochet.values import ids
from ricochet.values.entity import Entity
from ricochet.values.money import Currency, Price
from ricochet.values.statuses import Status
from ricochet.values.times import Moment


class Report(Entity):
    """One postback in our own terms, or a decision about a known conversion."""

    source: str  # `product:<productId>` or `network:<networkId>`: transaction ids are unique within it
    click_id: str | None = None
    user_id: str | None = None
    network_id: str | None = None
    status: Status
    source_status: str
    amount: Price | None = None  # what the user earns; None: not reported
    currency: Currency | None = None
    transaction_id: str | None = None
    source_conversion_id: str | None = None
    event: str | None = None
    offer_id: str | None = None
    payout: Price | None = None
    is_rebill: bool = False  # a conversion of its own on a click that has converted
    changed_by: str | None = None  # `operator:<sub>`, `partner:<partnerId>`; None: the conversion's source
    received_at: Moment

    @cached_property
    def conversion_id(self) -> str:
        return ids.conversion_id(self.source, self._dedupe_key())

    @cached_property
    def key(self) -> str:
        """Identifies the report: the same when it is sent again."""
        return ids.digest(self.source_status.lower(), self.amount)[:8]

    def _dedupe_key(self) -> tuple[str, ...]:
        event = self.event or ""
        if self.transaction_id:
            return ("transaction", self.transaction_id, event)
        if self.source_conversion_id:
            return ("conversion", self.source_conversion_id)
        return ("click", self.click_id or self.user_id or "", event)
