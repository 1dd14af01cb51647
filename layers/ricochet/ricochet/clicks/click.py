"""A click: one user's visit to one product's task URL, and its result."""

from __future__ import annotations

from typing import Self

from ricochet.clicks.tags import Tags
from ricochet.values import times
from ricochet.values.entity import Entity, Model, Shown, View
from ricochet.values.money import Amount
from ricochet.values.statuses import ClickStatus, Status
from ricochet.values.times import Moment

KEPT_AFTER_EXPIRY_DAYS = 30


class ClickResult(Entity):
    """The result of a click, so that an exact repeat of its postback is answered from the click alone."""

    conversion_id: Shown[str]
    source_conversion_id: Shown[str | None] = None
    earning_id: Shown[str | None] = None
    status: Shown[Status]
    amount: Shown[Amount]
    report_key: Shown[str]  # of the latest report that changed it


class ClickRoute(Model):
    """Which user goes to which product, and where."""

    click_id: Shown[str]
    user_id: Shown[str]
    product_id: Shown[str]
    task_url: Shown[str]
    offer_id: Shown[str | None] = None


class Click(Tags, ClickRoute, Entity):
    ip: str | None = None
    user_agent: str | None = None
    created_at: Shown[Moment]
    expires_at: Shown[Moment]
    ttl: int
    status: Shown[ClickStatus] = ClickStatus.PENDING
    visits: Shown[int | None] = None
    first_visit_at: Shown[Moment | None] = None
    postback_at: Shown[Moment | None] = None
    closed: Shown[bool | None] = None
    """No other conversion may start from this click, although its own is still pending."""
    outcome: Shown[ClickResult | None] = None

    def is_expired(self, moment: Moment) -> bool:
        return self.expires_at <= moment

    def status_at(self, moment: Moment) -> ClickStatus:
        if self.status is ClickStatus.PENDING and self.outcome is None and self.is_expired(moment):
            return ClickStatus.EXPIRED
        return self.status


class ClickView(Tags, ClickRoute, View):
    """A click as its app sees it, without the user's IP address."""

    user_agent: str | None = None
    created_at: Moment
    expires_at: Moment
    status: ClickStatus
    redirect_url: str
    clicked_at: Moment
    updated_at: Moment
    postback_received: bool
    postback_received_at: str | None = None
    conversion_id: str | None = None

    @classmethod
    def of(cls, click: Click, moment: Moment, redirect_url: str) -> Self:
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
    """Return the advertiser's own id of the conversion if it sent one, ours otherwise."""
    return outcome.source_conversion_id or outcome.conversion_id


def ttl_of(expires_at: Moment) -> int:
    """Return when DynamoDB may delete the click, in epoch seconds; whether it is expired does not depend on it."""
    return times.epoch_seconds(expires_at) + KEPT_AFTER_EXPIRY_DAYS * 86_400
