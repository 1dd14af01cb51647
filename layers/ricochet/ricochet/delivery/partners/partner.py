"""A partner, which receives our postbacks."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from ricochet.delivery.delivery import DELIVERIES_KEPT_DAYS
from ricochet.http.outbound import Method
from ricochet.ledger.notice import Notice
from ricochet.values import times
from ricochet.values.entity import Entity, Masked, Secret, Shown
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Price
from ricochet.values.statuses import LEAD_WORDS, Status
from ricochet.values.times import Moment

KEPT_PERIODS = 20

ALL_EVENTS = tuple(dict.fromkeys(LEAD_WORDS.values()))


class ContentType(StrEnum):
    JSON = "json"
    FORM = "form"


class Filters(Entity):
    """Which conversions a partner receives; an empty list means all."""

    offer_ids: Shown[tuple[str, ...]] = ()
    product_ids: Shown[tuple[str, ...]] = ()
    network_ids: Shown[tuple[str, ...]] = ()
    own_clicks: Shown[dict[str, tuple[str, ...]]] = {}  # a click's tag -> its values that mark the partner's own clicks

    def match(self, notice: Notice) -> bool:
        return (
            (not self.offer_ids or notice.offer_id in self.offer_ids)
            and (not self.product_ids or notice.product_id in self.product_ids)
            and (not self.network_ids or notice.network in self.network_ids)
            and all(getattr(notice, tag, "") in values for tag, values in self.own_clicks.items())
        )


class ActivePeriod(Entity):
    """A period in which a partner was active with the same subscription; `until` is None for the current one."""

    since: Moment
    until: Moment | None = None
    events: tuple[str, ...]
    filters: Filters

    def covers(self, notice: Notice) -> bool:
        """Return whether the conversion got this version in this period, and the subscription matches it."""
        inside = self.since <= notice.timestamp and (self.until is None or notice.timestamp < self.until)
        return inside and notice.status.lead_word in self.events and self.filters.match(notice)


class Partner(Entity):
    partner_id: Shown[str]
    name: Shown[str]
    postback_url: Shown[str]  # with macros
    method: Shown[Method] = Method.GET
    content_type: Shown[ContentType] = ContentType.JSON
    body_template: Masked[str | None] = None
    events: Shown[tuple[str, ...]] = ALL_EVENTS  # lead words
    status_words: Shown[dict[str, str]] = {}  # canonical status -> the partner's own name for it
    filters: Shown[Filters] = Filters()
    signing_secret: Secret[str]
    previous_secret: Secret[str | None] = None
    previous_secret_until: Masked[Moment | None] = None
    max_per_second: Shown[Price | None] = None  # None: no limit
    reply_updates_status: Shown[bool] = False
    logins: Masked[tuple[str, ...]] = ()  # user ids that may see and set up this partner
    status: Shown[Lifecycle] = Lifecycle.ACTIVE
    paused_at: Shown[Moment | None] = None
    pause_reason: Shown[str | None] = None
    active_periods: tuple[ActivePeriod, ...] = ()  # the latest, oldest first
    revision: int = 1
    created_at: Shown[Moment]
    updated_at: Shown[Moment]

    @property
    def rate(self) -> float | None:
        """Postbacks per second at most; None if there is no limit."""
        return None if self.max_per_second is None else float(self.max_per_second)

    @property
    def actor(self) -> str:
        """The name that marks conversions whose status this partner changed."""
        return f"partner:{self.partner_id}"

    def paused(self, reason: str, moment: Moment) -> Self:
        """Return the partner paused for this reason."""
        paused = self.with_changes(
            status=Lifecycle.PAUSED,
            paused_at=moment,
            pause_reason=reason,
            revision=self.revision + 1,
            updated_at=moment,
        )
        return paused.with_active_periods(moment)

    def with_active_periods(self, moment: Moment) -> Self:
        """Return the partner with a new period, and the last one ended, if its subscription or status changed."""
        current = ActivePeriod(since=moment, events=self.events, filters=self.filters)
        active_periods = list(self.active_periods)
        last = active_periods[-1] if active_periods and active_periods[-1].until is None else None
        active = self.status is Lifecycle.ACTIVE
        if last is not None and active and (last.events, last.filters) == (current.events, current.filters):
            return self
        if last is not None:
            active_periods[-1] = last.with_changes(until=moment)
        if active:
            active_periods.append(current)
        oldest = times.plus(moment, days=-DELIVERIES_KEPT_DAYS)
        kept = [period for period in active_periods if period.until is None or period.until > oldest]
        return self.with_changes(active_periods=tuple(kept[-KEPT_PERIODS:]))

    def was_subscribed(self, notice: Notice) -> bool:
        """Return whether the partner was active and subscribed to this when it happened."""
        return any(period.covers(notice) for period in self.active_periods)

    def secrets_at(self, moment: Moment) -> tuple[str, ...]:
        """Return the secrets that sign a request at `moment`, newest first: after a rotation both do for a while."""
        if self.previous_secret and self.previous_secret_until and moment < self.previous_secret_until:
            return self.signing_secret, self.previous_secret
        return (self.signing_secret,)

    def is_subscribed(self, notice: Notice) -> bool:
        return notice.status.lead_word in self.events and self.filters.match(notice)

    def status_word(self, status: Status) -> str:
        return self.status_words.get(status, status.lead_word)
