"""Deliveries: who was told what, and what is still to be tried."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile, groupby
from typing import Any, NamedTuple, Self

from botocore.exceptions import ClientError

from ricochet.delivery.delivery import Delivery, DeliveryState, shards_of
from ricochet.dynamodb.paging import Page, checked_key, decode_cursor, encode_cursor, starting_at
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import condition_failed, from_wire, to_wire

BY_DUE = "byDue"

BY_PARTNER = "byPartner"

BY_STATE = "byState"

PAGE = 100

EXAMINED = 1000
"""Rows that are read for one page at most; where few of them are wanted, the page is short and there may be more."""


class Position(NamedTuple):
    """Where a row stands among the others: by the time it was made and then by its key, neither of which changes."""

    created_at: str
    conversion_id: str
    delivery_key: str

    @classmethod
    def of(cls, row: Delivery) -> Self:
        return cls(row.created_at, row.conversion_id, row.delivery_key)

    @classmethod
    def from_key(cls, key: Mapping[str, Any]) -> Self:
        """From a cursor's key; InvalidCursorError for one of another shape."""
        return cls(**checked_key(key, cls._fields))


@dataclass(frozen=True)
class Listing:
    """Deliveries of one partner, or in an open state, or both, made in a span of time; its ends are part of it."""

    partner_id: str | None = None
    state: DeliveryState | None = None
    since: str = "0"
    until: str = "9"

    @property
    def scope(self) -> str:
        return f"deliveries:{self.partner_id}:{self.state}:{self.since}:{self.until}"

    @property
    def partitions(self) -> tuple[str, str, list[str]]:
        """An index, its partition key, and which partitions; of one partner never more than its own are read."""
        if self.partner_id is None:
            return BY_STATE, "stateShard", shards_of(str(self.state))
        return BY_PARTNER, "partnerShard", shards_of(self.partner_id)

    @property
    def looks_for_few(self) -> bool:
        """Whether the index has more than is wanted."""
        return None not in (self.partner_id, self.state)

    def __contains__(self, row: Delivery) -> bool:
        return self.partner_id in (None, row.partner_id) and self.state in (None, row.state)


class DeliveriesTable(Table[Delivery]):
    entity = Delivery

    def get(self, conversion_id: str, key: str) -> Delivery | None:
        return self._get({"conversionId": conversion_id, "deliveryKey": key})

    def of_conversion(self, conversion_id: str) -> list[Delivery]:
        """All versions' deliveries, the oldest version first."""
        return list(self._query("conversionId = :id", {":id": conversion_id}))

    def put_first(self, delivery: Delivery) -> bool:
        """Records what came of the first attempt; False if it is recorded already."""
        return self._put_if(delivery, "attribute_not_exists(deliveryKey)")

    def claim(self, delivery: Delivery, attempt: int, lease_until: str) -> Delivery | None:
        """The row with attempt number `attempt` begun until `lease_until`; None if somebody else was quicker."""
        claimed = delivery.with_changes(attempt_count=attempt, lease_until=lease_until)
        values = {
            ":seen": delivery.attempt_count,
            ":attempt": attempt,
            ":lease": lease_until,
            ":retrying": DeliveryState.RETRYING,
        }
        if delivery.lease_until is None:
            unclaimed = "attribute_not_exists(leaseUntil)"
        else:
            unclaimed = "leaseUntil = :old"
            values[":old"] = delivery.lease_until
        try:
            self.client.update_item(
                TableName=self.name,
                Key=to_wire({"conversionId": delivery.conversion_id, "deliveryKey": delivery.delivery_key}),
                UpdateExpression="SET attemptCount = :attempt, leaseUntil = :lease",
                ConditionExpression=f"attemptCount = :seen AND #state = :retrying AND {unclaimed}",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_wire(values),
            )
        except ClientError as error:
            if condition_failed(error):
                return None
            raise
        return claimed

    def record(self, delivery: Delivery) -> bool:
        """Writes what came of a claimed attempt; False if the row has gone on without it."""
        return self._put_if(
            delivery,
            "attemptCount = :attempt AND #state = :retrying",
            {":attempt": delivery.attempt_count, ":retrying": DeliveryState.RETRYING},
            state="state",
        )

    def replace(self, delivery: Delivery, seen: Delivery) -> bool:
        """False if the row has gone on since it was read as `seen`."""
        values = {":state": seen.state, ":updated": seen.updated_at, ":attempt": seen.attempt_count}
        unclaimed = "attribute_not_exists(leaseUntil)"
        if seen.lease_until is not None:
            unclaimed = "leaseUntil = :lease"
            values[":lease"] = seen.lease_until
        return self._put_if(
            delivery,
            f"#state = :state AND updatedAt = :updated AND attemptCount = :attempt AND {unclaimed}",
            values,
            state="state",
        )

    def due(self, partner_id: str, moment: str) -> Iterator[Delivery]:
        """A partner's rows whose time has come, the longest waiting first; read on as they are asked for."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=BY_DUE,
            KeyConditionExpression="partnerId = :partner AND dueAt <= :now",
            ExpressionAttributeValues=to_wire({":partner": partner_id, ":now": moment}),
            PaginationConfig={"PageSize": PAGE},
        )
        return (Delivery.from_item(from_wire(item)) for page in pages for item in page["Items"])

    def in_state(self, shard: str) -> Iterator[Delivery]:
        """The rows in one partition of `byState`, the oldest first."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=BY_STATE,
            KeyConditionExpression="stateShard = :shard",
            ExpressionAttributeValues=to_wire({":shard": shard}),
        )
        return (Delivery.from_item(from_wire(item)) for page in pages for item in page["Items"])

    def clear_due(self, delivery: Delivery) -> None:
        """Takes a row that was handed to the queue out of the due index, unless it has been moved on already."""
        try:
            self.client.update_item(
                TableName=self.name,
                Key=to_wire({"conversionId": delivery.conversion_id, "deliveryKey": delivery.delivery_key}),
                UpdateExpression="REMOVE dueAt",
                ConditionExpression="dueAt = :due",
                ExpressionAttributeValues=to_wire({":due": delivery.due_at}),
            )
        except ClientError as error:
            if not condition_failed(error):
                raise

    def page_of_conversion(self, conversion_id: str, limit: int, cursor: str | None) -> Page[Delivery]:
        """The newest version first."""
        query = {
            "KeyConditionExpression": "conversionId = :id",
            "ExpressionAttributeValues": to_wire({":id": conversion_id}),
            "ScanIndexForward": False,
        }
        return self._page(f"deliveries:{conversion_id}", limit, cursor, query)

    def list_page(self, listing: Listing, limit: int, cursor: str | None) -> Page[Delivery]:
        """Newest first; fewer than `limit`, and still a cursor, where many had to be looked through for them."""
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
        """The rows of the listing's index after a position, those not in the listing too; reads on as it is asked.

        The shards' rows are merged in the order of their positions, so that one position says where all shards go on.
        """
        index, attribute, shards = listing.partitions
        since = after.created_at if after and not newest_first else listing.since
        until = after.created_at if after and newest_first else listing.until
        query: dict[str, Any] = {
            "TableName": self.name,
            "IndexName": index,
            "KeyConditionExpression": f"{attribute} = :shard AND createdAt BETWEEN :since AND :until",
            "ScanIndexForward": not newest_first,
            "PaginationConfig": {"PageSize": read_at_once},
        }
        values = [to_wire({":shard": shard, ":since": since, ":until": until}) for shard in shards]
        in_order = [self._in_order(query | {"ExpressionAttributeValues": of_shard}, after) for of_shard in values]
        rows = heapq.merge(*in_order, key=Position.of, reverse=newest_first)
        if after is None:
            return rows
        is_before = operator.ge if newest_first else operator.le
        return dropwhile(lambda row: is_before(Position.of(row), after), rows)

    def _in_order(self, query: dict[str, Any], after: Position | None) -> Iterator[Delivery]:
        """One shard's rows; those of one moment, which an index has in no order, are put into that of their keys."""
        pages = self.client.get_paginator("query").paginate(**query)
        rows = (Delivery.from_item(from_wire(item)) for page in pages for item in page["Items"])
        with starting_at(after):
            for _, of_one_moment in groupby(rows, key=lambda row: row.created_at):
                yield from sorted(of_one_moment, key=Position.of, reverse=not query["ScanIndexForward"])

    def count(self, state: DeliveryState) -> int:
        """How many are in an open state."""
        pages = self.client.get_paginator("query")
        return sum(
            page["Count"]
            for shard in shards_of(state)
            for page in pages.paginate(
                TableName=self.name,
                IndexName=BY_STATE,
                KeyConditionExpression="stateShard = :shard",
                ExpressionAttributeValues=to_wire({":shard": shard}),
                Select="COUNT",
            )
        )

    def _query(self, condition: str, values: dict[str, str]) -> Iterator[Delivery]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_wire(values),
            ConsistentRead=True,
        )
        return (Delivery.from_item(from_wire(item)) for page in pages for item in page["Items"])
