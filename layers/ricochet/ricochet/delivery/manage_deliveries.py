"""Operators look at deliveries and at what was not delivered, and replay a single delivery."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from ricochet.delivery.deliveries_table import DeliveriesTable, Listing, Position
from ricochet.delivery.delivery import OPEN_STATES, Delivery, DeliveryState, delivery_key
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.transitions import restarted
from ricochet.dynamodb.paging import NOT_OURS, Page, decode_cursor, encode_cursor
from ricochet.errors import (
    ChangedMeanwhileError,
    DeliveryNotFoundError,
    DeliveryUnderWayError,
    InvalidCursorError,
    PartnerArchivedError,
)
from ricochet.http.attempt import Attempt
from ricochet.values import times
from ricochet.values.change import Audit, Change
from ricochet.values.entity import PageView, View
from ricochet.values.inputs import MomentInput, QueryInput
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Amount, Currency
from ricochet.values.times import Moment

_VERSION = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class ListingQuery(QueryInput):
    """Which deliveries of a partner, or of all, a listing has."""

    state: DeliveryState | None = None
    since: Annotated[MomentInput | None, Field(alias="from")] = None
    until: Annotated[MomentInput | None, Field(alias="to")] = None

    def listing(self, partner_id: str | None) -> Listing:
        return Listing(partner_id, self.state, self.since or times.EARLIEST, self.until or times.LATEST)


class DeliveryQuery(ListingQuery):
    """By conversion; by partner, and by state and time if wanted; or by an open state, for one partner or all."""

    conversion_id: str | None = None
    partner_id: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.conversion_id is not None:
            if (self.partner_id, self.state, self.since, self.until) != (None,) * 4:
                raise ValueError("conversionId stands alone: it lists all deliveries of the conversion")
        elif self.partner_id is None and self.state not in OPEN_STATES:
            raise ValueError(f"name a conversionId, a partnerId, or a state: one of {', '.join(OPEN_STATES)}")
        return self


class DeliverySummary(Delivery):
    """A delivery in a list."""

    attempts: tuple[Attempt, ...] = ()  # not shown there


class Deliveries(PageView[DeliverySummary]):
    pass


class UndeliveredSum(View):
    """Of one partner's deliveries in one currency."""

    partner_id: str
    currency: Currency
    value: Amount = Decimal(0)
    count: int = 0
    retrying: int = 0
    parked: int = 0
    oldest: Moment

    def plus(self, row: Delivery) -> Self:
        return self.with_changes(
            value=self.value + row.value,
            count=self.count + 1,
            oldest=min(self.oldest, row.created_at),
            **{row.state: getattr(self, row.state) + 1},
        )


class Undelivered(PageView[UndeliveredSum]):
    """What partners have not received, the most valuable first, as far as it was read; `next_cursor` leads on."""


@dataclass(frozen=True)
class ManageDeliveries:
    partners: PartnersTable
    deliveries: DeliveriesTable
    audit: Audit
    clock: Callable[[], Moment] = times.now

    def list_page(self, query: DeliveryQuery, limit: int, cursor: str | None) -> Page[Delivery]:
        """Newest first. A page may hold fewer than `limit` where few of many are asked for, and there may be more."""
        if query.conversion_id is not None:
            return self.deliveries.page_of_conversion(query.conversion_id, limit, cursor)
        return self.deliveries.list_page(query.listing(query.partner_id), limit, cursor)

    def get(self, conversion_id: str, version: str, partner_id: str) -> Delivery:
        return found(self.deliveries, conversion_id, version, partner_id)

    def replay(self, conversion_id: str, version: str, partner_id: str) -> Change[Delivery]:
        """The delivery, to be tried again from the next minute on, at its partner's rate.

        DeliveryUnderWayError if it is being tried anyway, PartnerArchivedError, ChangedMeanwhileError.
        """
        before = self.get(conversion_id, version, partner_id)
        if not before.state.is_terminal:
            raise DeliveryUnderWayError
        partner = self.partners.get(partner_id)
        if partner is None or partner.status is Lifecycle.ARCHIVED:
            raise PartnerArchivedError
        change = Change(before, restarted(before, self.clock()))
        if not self.deliveries.replace(change.after, before):
            raise ChangedMeanwhileError("the delivery was changed at the same time; read it again")
        ids = {name: getattr(before, name) for name in ("delivery_id", "conversion_id", "partner_id")}
        return self.audit.record_change("delivery.replayed", before.delivery_id, change, **ids)

    def undelivered(self, cursor: str | None, has_time: Callable[[], bool]) -> Undelivered:
        """Add up the value of what waits or is parked, as far as `has_time` allows."""
        sums: dict[tuple[str, str], UndeliveredSum] = {}
        states, after = _rest(decode_cursor("undelivered", cursor))
        for state in states:
            for row in self.deliveries.walk(Listing(state=state), after):
                key = row.partner_id, row.notice.currency
                empty = UndeliveredSum(partner_id=key[0], currency=key[1], oldest=row.created_at)
                sums[key] = sums.get(key, empty).plus(row)
                if not has_time():
                    here = {"state": str(state), **Position.of(row)._asdict()}
                    return _undelivered(sums.values(), encode_cursor("undelivered", here))
            after = None
        return _undelivered(sums.values(), None)


def _undelivered(sums: Iterable[UndeliveredSum], cursor: str | None) -> Undelivered:
    return Undelivered(items=tuple(sorted(sums, key=lambda one: -one.value)), next_cursor=cursor)


def _rest(start: dict[str, Any] | None) -> tuple[Sequence[DeliveryState], Position | None]:
    """The open states from a cursor's key on, and after which row the first of them goes on."""
    if not start:
        return OPEN_STATES, None
    state = start.pop("state", None)
    if state not in OPEN_STATES:
        raise InvalidCursorError(NOT_OURS)
    return OPEN_STATES[OPEN_STATES.index(state) :], Position.from_key(start)


def found(deliveries: DeliveriesTable, conversion_id: str, version: str, partner_id: str) -> Delivery:
    """DeliveryNotFoundError if there is none."""
    key = delivery_key(int(version), partner_id) if _VERSION.fullmatch(version) else None
    row = deliveries.get(conversion_id, key) if key else None
    if row is None:
        raise DeliveryNotFoundError
    return row
