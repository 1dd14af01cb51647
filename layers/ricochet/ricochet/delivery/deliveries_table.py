"""Deliveries: what was sent to partners, and what is still to be tried."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import dropwhile, groupby
from typing import Any, NamedTuple, Self

from ricochet.delivery.delivery import Delivery, DeliveryState, shards_of
from ricochet.dynamodb.paging import Page, checked_key, decode_cursor, encode_cursor, starting_at
from ricochet.dynamodb.table import Table
from ricochet.values import times
from ricochet.values.times import Moment

BY_DUE = "byDue"

BY_PARTNER = "byPartner"

BY_STATE = "byState"

PAGE = 100

EXAMINED = 1000
"""Rows that are read for one page at most: if few of them belong to the listing, the page is short."""


class Position(NamedTuple):
    """The place of a row in the order of creation, and of the keys within one moment; it never changes."""

    created_at: Moment
    conversion_id: str
    delivery_key: str

    @classmethod
    def of(cls, row: Delivery) -> Self:
        return cls(row.created_at, row.conversion_id, row.delivery_key)

    @classmethod
    def from_key(cls, key: Mapping[str, Any]) -> Self:
        """Return the position in a cursor's key; raise InvalidCursorError if it has another shape."""
        created_at, *ids = map(checked_key(key, cls._fields).__getitem__, cls._fields)
        return cls(Moment(created_at), *ids)


@dataclass(frozen=True)
class Listing:
    """Deliveries of one partner, or in an open state, or both, created from `since` to `until`, both included."""

    partner_id: str | None = None
    state: DeliveryState | None = None
    since: Moment = times.EARLIEST
    until: Moment = times.LATEST

    @property
    def scope(self) -> str:
        return f"deliveries:{self.partner_id}:{self.state}:{self.since}:{self.until}"

    @property
    def partitions(self) -> tuple[str, str, list[str]]:
        """The index, its partition key, and the partitions to read: for one partner only its own."""
        if self.partner_id is None:
            return BY_STATE, "stateShard", shards_of(str(self.state))
        return BY_PARTNER, "partnerShard", shards_of(self.partner_id)

    @property
    def looks_for_few(self) -> bool:
        """Whether the index also has rows that are not in the listing."""
        return None not in (self.partner_id, self.state)

    def __contains__(self, row: Delivery) -> bool:
        return self.partner_id in (None, row.partner_id) and self.state in (None, row.state)


class DeliveriesTable(Table[Delivery]):
    entity = Delivery

    def get(self, conversion_id: str, key: str) -> Delivery | None:
        return self._get({"conversionId": conversion_id, "deliveryKey": key})

    def of_conversion(self, conversion_id: str) -> list[Delivery]:
        """Return the deliveries of all versions, the oldest version first."""
        return list(self.query("conversionId = :id", id=conversion_id, consistent=True))

    def put_first(self, delivery: Delivery) -> bool:
        """Record the result of the first attempt; return False if it is recorded already."""
        return self._put_if(delivery, "attribute_not_exists(deliveryKey)")

    def claim(self, delivery: Delivery, attempt: int, lease_until: Moment) -> Delivery | None:
        """Return the row, leased for the attempt until `lease_until`; None if another process was quicker."""
        unclaimed, lease = _same_lease(delivery)
        is_ours = self._update_if(
            _key(delivery),
            "SET attemptCount = :attempt, leaseUntil = :until",
            f"attemptCount = :seen AND #state = :retrying AND {unclaimed}",
            attempt=attempt,
            until=lease_until,
            seen=delivery.attempt_count,
            retrying=DeliveryState.RETRYING,
            **lease,
        )
        return delivery.with_changes(attempt_count=attempt, lease_until=lease_until) if is_ours else None

    def record(self, delivery: Delivery) -> bool:
        """Record the result of a claimed attempt; return False if the row has changed since it was claimed."""
        return self._put_if(
            delivery,
            "attemptCount = :attempt AND #state = :retrying",
            attempt=delivery.attempt_count,
            retrying=DeliveryState.RETRYING,
        )

    def replace(self, delivery: Delivery, seen: Delivery) -> bool:
        """Return False if the row has changed since it was read as `seen`."""
        unclaimed, lease = _same_lease(seen)
        return self._put_if(
            delivery,
            f"#state = :state AND updatedAt = :updated AND attemptCount = :attempt AND {unclaimed}",
            state=seen.state,
            updated=seen.updated_at,
            attempt=seen.attempt_count,
            **lease,
        )

    def due(self, partner_id: str, moment: Moment) -> Iterator[Delivery]:
        """Yield a partner's rows that are due, the longest waiting first; they are read as they are used."""
        condition = "partnerId = :partner AND dueAt <= :now"
        return iter(self.query(condition, index=BY_DUE, partner=partner_id, now=moment, page_size=PAGE))

    def in_state(self, shard: str) -> Iterator[Delivery]:
        """Yield the rows in one partition of `byState`, the oldest first."""
        return iter(self.query("stateShard = :shard", index=BY_STATE, shard=shard))

    def clear_due(self, delivery: Delivery) -> None:
        """Remove a row that has been queued from the due index, unless it has changed since."""
        self._update_if(_key(delivery), "REMOVE dueAt", "dueAt = :due", due=delivery.due_at)

    def page_of_conversion(self, conversion_id: str, limit: int, cursor: str | None) -> Page[Delivery]:
        """The newest version first."""
        rows = self.query("conversionId = :id", id=conversion_id, newest_first=True)
        return rows.page(f"deliveries:{conversion_id}", limit, cursor)

    def list_page(self, listing: Listing, limit: int, cursor: str | None) -> Page[Delivery]:
        """Newest first. A page may be short, and still have a cursor, if many other rows had to be read for it."""
        found: list[Delivery] = []
        key = decode_cursor(listing.scope, cursor)
        after = Position.from_key(key) if key else None
        read_at_once = PAGE if listing.looks_for_few else limit // 4 + 1
        for examined, row in enumerate(self.walk(listing, after, read_at_once=read_at_once), 1):
            if row in listing:
                found.append(row)
            if len(found) == limit or examined == EXAMINED:
                return Page(found, encode_cursor(listing.scope, Position.of(row)._asdict()))
        return Page(found, None)

    def walk(
        self, listing: Listing, after: Position | None, *, newest_first: bool = True, read_at_once: int = PAGE
    ) -> Iterator[Delivery]:
        """Yield the rows of the listing's index after a position, also those not in the listing, as they are used.

        The shards' rows are merged in the order of their positions, so that one position is where all shards continue.
        """
        index, attribute, shards = listing.partitions
        condition = f"{attribute} = :shard AND createdAt BETWEEN :since AND :until"
        of_shard = partial(
            self.query,
            condition,
            index=index,
            newest_first=newest_first,
            page_size=read_at_once,
            since=after.created_at if after and not newest_first else listing.since,
            until=after.created_at if after and newest_first else listing.until,
        )
        in_order = [_in_order(of_shard(shard=shard), after, newest_first=newest_first) for shard in shards]
        rows = heapq.merge(*in_order, key=Position.of, reverse=newest_first)
        if after is None:
            return rows
        is_before = operator.ge if newest_first else operator.le
        return dropwhile(lambda row: is_before(Position.of(row), after), rows)

    def count(self, state: DeliveryState) -> int:
        """Return how many are in an open state."""
        shards = shards_of(state)
        return sum(self.query("stateShard = :shard", index=BY_STATE, shard=shard).count() for shard in shards)


def _in_order(rows: Iterable[Delivery], after: Position | None, *, newest_first: bool) -> Iterator[Delivery]:
    """Yield one shard's rows; an index has no order within one moment, so these are sorted by their keys."""
    with starting_at(after):
        for _, of_one_moment in groupby(rows, key=lambda row: row.created_at):
            yield from sorted(of_one_moment, key=Position.of, reverse=newest_first)


def _key(delivery: Delivery) -> dict[str, str]:
    return {"conversionId": delivery.conversion_id, "deliveryKey": delivery.delivery_key}


def _same_lease(seen: Delivery) -> tuple[str, dict[str, str]]:
    """Return the condition, and its values, that nobody has claimed the row since it was read as `seen`."""
    if seen.lease_until is None:
        return "attribute_not_exists(leaseUntil)", {}
    return "leaseUntil = :lease", {"lease": seen.lease_until}
