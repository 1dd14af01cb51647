"""A partner looks at what it was sent, and what it was not."""

from __future__ import annotations

import re
from typing import Any

from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import Delivery
from ricochet.delivery.manage_deliveries import ListingQuery, found
from ricochet.delivery.partners.partner import Partner
from ricochet.dynamodb.paging import Page
from ricochet.http.attempt import Attempt

SHOWN = {
    *("delivery_id", "conversion_id", "version", "state", "held_by", "detail", "partner_status"),
    *("attempt_count", "next_attempt_at", "created_at", "updated_at"),
}

_WHERE_TO = re.compile(r" leads to \S+, which")


class PartnerDeliveries:
    def __init__(self, deliveries: DeliveriesTable) -> None:
        self._deliveries = deliveries

    def list_page(self, partner: Partner, query: ListingQuery, limit: int, cursor: str | None) -> Page[Delivery]:
        """The partner's own, newest first; a page may be short where few of many are asked for."""
        return self._deliveries.list_page(query.listing(partner.partner_id), limit, cursor)

    def get(self, partner: Partner, conversion_id: str, version: str) -> Delivery:
        """DeliveryNotFoundError for another partner's too."""
        return found(self._deliveries, conversion_id, version, partner.partner_id)


def summary(row: Delivery, partner: Partner) -> dict[str, Any]:
    """Of the conversion no more than says which it is and what it pays: nothing of the person behind it."""
    notice = row.notice
    told = {
        "status": partner.status_word(notice.status),
        "payout": notice.payout,
        "currency": notice.currency,
        "clickId": notice.click_id,
        "subid": notice.subid or notice.click_id,
        "sourceConversionId": notice.conversion_id,
    }
    return row.to_json(include_only=SHOWN) | told


def shown(row: Delivery, partner: Partner) -> dict[str, Any]:
    """With the URL, which carries what the partner's own template asked for, and the attempts."""
    url = {} if row.url is None else {"url": row.url}
    return summary(row, partner) | url | {"attempts": [shown_attempt(attempt) for attempt in row.attempts]}


def shown_attempt(attempt: Attempt) -> dict[str, Any]:
    error = {} if attempt.error is None else {"error": without_address(attempt.error)}
    return attempt.to_json(leave_out={"timed_out"}) | error


def without_address(refusal: str) -> str:
    """Why a target was refused, but not where its name leads: what our resolver finds inside is nobody's business."""
    return _WHERE_TO.sub(" leads to what", refusal)
