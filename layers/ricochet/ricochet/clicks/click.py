"""A click: one user's way to one product, and what became of it."""

from __future__ import annotations

from typing import Any

from ricochet.values import times
from ricochet.values.entity import Entity
from ricochet.values.money import Amount
from ricochet.values.statuses import ClickStatus, Status

KEPT_AFTER_EXPIRY_DAYS = 30

NOT_FOR_APPS = {"ip", "ttl", "visits", "first_visit_at", "postback_at", "outcome", "closed"}


class ClickResult(Entity):
    """What a click led to, so that an exact repeat of its postback is answered from the click alone."""

    conversion_id: str
    source_conversion_id: str | None = None
    earning_id: str | None = None
    status: Status
    amount: Amount
    report_key: str  # of the report that led here last


class Click(Entity):
    click_id: str
    user_id: str
    product_id: str
    task_url: str
    offer_id: str | None = None
    subid: str | None = None
    sub1: str | None = None
    sub2: str | None = None
    sub3: str | None = None
    sub4: str | None = None
    sub5: str | None = None
    prelanding: str | None = None
    landing: str | None = None
    px: str | None = None
    domain: str | None = None
    country: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    created_at: str
    expires_at: str
    ttl: int
    status: ClickStatus = ClickStatus.PENDING
    visits: int | None = None
    first_visit_at: str | None = None
    postback_at: str | None = None
    closed: bool | None = None
    """No further conversion may start from this click, although its own is still pending."""
    outcome: ClickResult | None = None

    def is_expired(self, moment: str) -> bool:
        return self.expires_at <= moment

    def shown_status(self, moment: str) -> str:
        if self.status is ClickStatus.PENDING and self.outcome is None and self.is_expired(moment):
            return "expired"
        return self.status

    def to_app(self, moment: str, redirect_url: str) -> dict[str, Any]:
        """The click log as apps know it; the address it came from stays with us."""
        log = self.to_json(leave_out=NOT_FOR_APPS)
        return log | {
            "redirectUrl": redirect_url,
            "clickedAt": self.created_at,
            "updatedAt": self.postback_at or self.created_at,
            "status": self.shown_status(moment),
            "postbackReceived": self.postback_at is not None,
            **({"postbackReceivedAt": self.postback_at} if self.postback_at else {}),
            **({"conversionId": shown_conversion_id(self.outcome)} if self.outcome else {}),
        }


def shown_conversion_id(outcome: ClickResult) -> str:
    """The advertiser's own id of the conversion if it sent one, else ours."""
    return outcome.source_conversion_id or outcome.conversion_id


def ttl_of(expires_at: str) -> int:
    """Epoch seconds after which DynamoDB may clear the click away; it decides nothing."""
    return times.epoch_seconds(expires_at) + KEPT_AFTER_EXPIRY_DAYS * 86_400
