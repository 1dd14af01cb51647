"""A click: one user's visit to one product's task URL, and its result."""

from __future__ import annotations

from typing import Any

from ricochet.clicks.tags import Tags
from ricochet.values import times
from ricochet.values.entity import Entity
from ricochet.values.money import Amount
from ricochet.values.statuses import ClickStatus, Status

KEPT_AFTER_EXPIRY_DAYS = 30

NOT_FOR_APPS = {"ip", "ttl", "visits", "first_visit_at", "postback_at", "outcome", "closed"}


class ClickResult(Entity):
    """The result of a click, so that an exact repeat of its postback is answered from the click alone."""

    conversion_id: str
    source_conversion_id: str | None = None
    earning_id: str | None = None
    status: Status
    amount: Amount
    report_key: str  # of the latest report that changed it


class ClickRoute(Entity):
    """Which user goes to which product, and where."""

    click_id: str
    user_id: str
    product_id: str
    task_url: str
    offer_id: str | None = None


class Click(Tags, ClickRoute):
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
    """No other conversion may start from this click, although its own is still pending."""
    outcome: ClickResult | None = None

    def is_expired(self, moment: str) -> bool:
        return self.expires_at <= moment

    def shown_status(self, moment: str) -> str:
        if self.status is ClickStatus.PENDING and self.outcome is None and self.is_expired(moment):
            return "expired"
        return self.status

    def to_app(self, moment: str, redirect_url: str) -> dict[str, Any]:
        """Return the click log as apps see it, without the user's IP address."""
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
    """Return the advertiser's own id of the conversion if it sent one, ours otherwise."""
    return outcome.source_conversion_id or outcome.conversion_id


def ttl_of(expires_at: str) -> int:
    """Return when DynamoDB may delete the click, in epoch seconds; whether it is expired does not depend on it."""
    return times.epoch_seconds(expires_at) + KEPT_AFTER_EXPIRY_DAYS * 86_400
