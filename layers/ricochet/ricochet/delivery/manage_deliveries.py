"""Operators look at who was told what and who was not, and have one delivery tried anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

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
from ricochet.values import times
from ricochet.values.entity import Entity
from ricochet.values.inputs import validate
from ricochet.values.lifecycle import Lifecycle

Moment = Annotated[str, AfterValidator(times.read)]

_VERSION = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)

HIDDEN = {"partner_shard", "state_shard", "lease_until", "tries_from", "ttl"}


class ListingQuery(Entity):
    """Which deliveries of a listing, whosever they are."""

    state: DeliveryState | None = None
    since: Annotated[Moment | None, Field(alias="from")] = None
    until: Annotated[Moment | None, Field(alias="to")] = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        return validate({name: value for name, value in query.items() if value}, cls)

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


@dataclass
class Sum:
    """Of one partner's deliveries in one currency."""

    value: Decimal = Decimal(0)
    counts: dict[DeliveryState, int] = field(default_factory=lambda: dict.fromkeys(OPEN_STATES, 0))
    oldest: str = times.LATEST

    def add(self, row: Delivery) -> None:
        self.value += row.value
        self.counts[row.state] += 1
        self.oldest = min(self.oldest, row.created_at)


@dataclass(frozen=True)
class Undelivered:
    """What partners have not been told, as far as it was read; `cursor` goes on where it was not."""

    sums: dict[tuple[str, str], Sum]  # by partner and currency
    cursor: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The most valuable first."""
        items = [
            {
                "partnerId": partner_id,
                "currency": currency,
                "value": one.value,
                "count": sum(one.counts.values()),
                **one.counts,
                "oldest": one.oldest,
            }
            for (partner_id, currency), one in sorted(self.sums.items(), key=lambda entry: -entry[1].value)
        ]
        return {"items": items, "nextCursor": self.cursor}


class ManageDeliveries:
    def __init__(
        self, partners: PartnersTable, deliveries: DeliveriesTable, clock: Callable[[], str] = times.now
    ) -> None:
        self._partners = partners
        self._deliveries = deliveries
        self._clock = clock

    def list_page(self, query: DeliveryQuery, limit: int, cursor: str | None) -> Page[Delivery]:
        """Newest first. A page may hold fewer than `limit` where few of many are asked for, and there may be more."""
        if query.conversion_id is not None:
            return self._deliveries.page_of_conversion(query.conversion_id, limit, cursor)
        return self._deliveries.list_page(query.listing(query.partner_id), limit, cursor)

    def get(self, conversion_id: str, version: str, partner_id: str) -> Delivery:
        return found(self._deliveries, conversion_id, version, partner_id)

    def replay(self, conversion_id: str, version: str, partner_id: str) -> Delivery:
        """The delivery, to be tried anew from the next minute on, at its partner's rate.

        DeliveryUnderWayError if it is being tried anyway, PartnerArchivedError, ChangedMeanwhileError.
        """
        row = self.get(conversion_id, version, partner_id)
        if not row.state.is_terminal:
            raise DeliveryUnderWayError("this delivery is still being tried")
        partner = self._partners.get(partner_id)
        if partner is None or partner.status is Lifecycle.ARCHIVED:
            raise PartnerArchivedError("the partner is archived")
        again = restarted(row, self._clock())
        if not self._deliveries.replace(again, row):
            raise ChangedMeanwhileError("the delivery was changed meanwhile; read it again")
        return again

    def undelivered(self, cursor: str | None, has_time: Callable[[], bool]) -> Undelivered:
        """The value of what waits or was given up, as far as `has_time` allows."""
        sums: dict[tuple[str, str], Sum] = {}
        states, after = _rest(decode_cursor("undelivered", cursor))
        for state in states:
            for row in self._deliveries.walk(Listing(state=state), after):
                sums.setdefault((row.partner_id, row.notice.currency), Sum()).add(row)
                if not has_time():
                    here = {"state": str(state), **Position.of(row)._asdict()}
                    return Undelivered(sums, encode_cursor("undelivered", here))
            after = None
        return Undelivered(sums)


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
        raise DeliveryNotFoundError("there is no such delivery")
    return row


def summary(row: Delivery) -> dict[str, Any]:
    return row.to_json(leave_out=HIDDEN | {"attempts"})


def shown(row: Delivery) -> dict[str, Any]:
    return row.to_json(leave_out=HIDDEN)
