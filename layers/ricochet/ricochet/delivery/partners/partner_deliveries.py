"""A partner looks at what it was sent, and what it was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import Delivery, DeliveryState, Hold
from ricochet.delivery.manage_deliveries import ListingQuery, found
from ricochet.delivery.partners.partner import Partner
from ricochet.dynamodb.paging import Page
from ricochet.http.attempt import Attempt
from ricochet.values.entity import PageView, View
from ricochet.values.money import Currency
from ricochet.values.statuses import Status
from ricochet.values.times import Moment


class OwnAttempt(View):
    """One request, successful or not. `ms` is how long it took."""

    at: Moment
    ms: int
    status_code: int | None = None
    error: str | None = None
    reply: str | None = None
    not_sent: bool | None = None

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        return cls.from_entity(attempt, error=attempt.partner_error or attempt.error)


class OwnDeliverySummary(View):
    """Of the conversion no more than which it is and what it pays: nothing of the person behind it."""

    conversion_id: str
    delivery_id: str
    version: int
    state: DeliveryState
    attempt_count: int
    next_attempt_at: Moment | None = None
    held_by: Hold | None = None
    partner_status: Status | None = None
    detail: str | None = None
    created_at: Moment
    updated_at: Moment
    status: str  # the partner's own term for it
    payout: str
    currency: Currency
    click_id: str
    subid: str
    source_conversion_id: str

    @classmethod
    def of(cls, row: Delivery, partner: Partner) -> Self:
        return cls.from_entity(row, **_shown_of_notice(row, partner))


class OwnDelivery(View):
    """With the URL, which carries what the partner's own template asked for, and the attempts."""

    conversion_id: str
    delivery_id: str
    version: int
    state: DeliveryState
    url: str | None = None
    attempt_count: int
    attempts: tuple[OwnAttempt, ...]
    next_attempt_at: Moment | None = None
    held_by: Hold | None = None
    partner_status: Status | None = None
    detail: str | None = None
    created_at: Moment
    updated_at: Moment
    status: str  # the partner's own term for it
    payout: str
    currency: Currency
    click_id: str
    subid: str
    source_conversion_id: str

    @classmethod
    def of(cls, row: Delivery, partner: Partner) -> Self:
        attempts = tuple(map(OwnAttempt.of, row.attempts))
        return cls.from_entity(row, attempts=attempts, **_shown_of_notice(row, partner))


class OwnDeliveries(PageView[OwnDeliverySummary]):
    pass


@dataclass(frozen=True)
class PartnerDeliveries:
    deliveries: DeliveriesTable

    def list_page(self, partner: Partner, query: ListingQuery, limit: int, cursor: str | None) -> Page[Delivery]:
        """The partner's own, newest first; a page may be short where few of many are asked for."""
        return self.deliveries.list_page(query.listing(partner.partner_id), limit, cursor)

    def get(self, partner: Partner, conversion_id: str, version: str) -> Delivery:
        """DeliveryNotFoundError for another partner's too."""
        return found(self.deliveries, conversion_id, version, partner.partner_id)


def _shown_of_notice(row: Delivery, partner: Partner) -> dict[str, Any]:
    notice = row.notice
    return {
        "status": partner.status_word(notice.status),
        "payout": notice.payout,
        "currency": notice.currency,
        "click_id": notice.click_id,
        "subid": notice.subid or notice.click_id,
        "source_conversion_id": notice.conversion_id,
    }
