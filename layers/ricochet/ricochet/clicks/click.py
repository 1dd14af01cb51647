"""A click: one user's way to one product, and its result."""

from __future__ import annotations

from typing import Self

from ricochet.values import times
from ricochet.values.entity import Entity, Shown, View
from ricochet.values.money import Amount
from ricochet.values.statuses import ClickStatus, Status

KEPT_AFTER_EXPIRY_DAYS = 30


class ClickResult(Entity):
    """What a click led to, so that an exact repeat of its postback is answered from the click alone."""

    conversion_id: Shown[str]
    source_conversion_id: Shown[str | None] = None
    earning_id: Shown[str | None] = None
    status: Shown[Status]
    amount: Shown[Amount]
    report_key: Shown[str]  # of the report that led here last


class Click(Entity):
    click_id: Shown[str]
    user_id: Shown[str]
    product_id: Shown[str]
    task_url: Shown[str]
    offer_id: Shown[str | None] = None
    subid: Shown[str | None] = None
    sub1: Shown[str | None] = None
    sub2: Shown[str | None] = None
    sub3: Shown[str | None] = None
    sub4: Shown[str | None] = None
    sub5: Shown[str | None] = None
    prelanding: Shown[str | None] = None
    landing: Shown[str | None] = None
    px: Shown[str | None] = None
    domain: Shown[str | None] = None
    country: Shown[str | None] = None
    ip: str | None = None
    user_agent: str | None = None
    created_at: Shown[str]
    expires_at: Shown[str]
    ttl: int
    status: Shown[ClickStatus] = ClickStatus.PENDING
    visits: Shown[int | None] = None
    first_visit_at: Shown[str | None] = None
    postback_at: Shown[str | None] = None
    closed: Shown[bool | None] = None
    """No further conversion may start from this click, although its own is still pending."""
    outcome: Shown[ClickResult | None] = None

    def is_expired(self, moment: str) -> bool:
        return self.expires_at <= moment

    def status_at(self, moment: str) -> ClickStatus:
        if self.status is ClickStatus.PENDING and self.outcome is None and self.is_expired(moment):
            return ClickStatus.EXPIRED
        return self.status


class ClickView(View):
    """A click as its app sees it; the address it came from stays with us."""

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
    user_agent: str | None = None
    created_at: str
    expires_at: str
    status: ClickStatus
    redirect_url: str
    clicked_at: str
    updated_at: str
    postback_received: bool
    postback_received_at: str | None = None
    conversion_id: str | None = None

    @classmethod
    def of(cls, click: Click, moment: str, redirect_url: str) -> Self:
        return cls.from_entity(
            click,
            redirect_url=redirect_url,
            clicked_at=click.created_at,
            updated_at=click.postback_at or click.created_at,
            status=click.status_at(moment),
            postback_received=click.postback_at is not None,
            postback_received_at=click.postback_at,
            conversion_id=shown_conversion_id(click.outcome) if click.outcome else None,
        )


def shown_conversion_id(outcome: ClickResult) -> str:
    """The advertiser's own id of the conversion if it sent one, else ours."""
    return outcome.source_conversion_id or outcome.conversion_id


def ttl_of(expires_at: str) -> int:
    """Epoch seconds after which DynamoDB may clear the click away; it decides nothing."""
    return times.epoch_seconds(expires_at) + KEPT_AFTER_EXPIRY_DAYS * 86_400
