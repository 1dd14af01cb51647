"""Listings that are spread over several partitions of an index, so that no partition takes all the writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ricochet.dynamodb.paging import NOT_OURS, checked_key, decode_cursor, encode_cursor, starting_at
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.errors import InvalidCursorError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """What was read of one shard after the key `start` (empty: from its beginning), and where more of it follows."""

    shard: str
    start: Item
    items: list[Item]
    last: Item | None


@dataclass(frozen=True)
class ShardedIndex:
    """An index whose partitions make up one listing; all names are those of attributes."""

    client: DynamoDBClient
    table: str
    name: str
    table_key: tuple[str, ...]
    shard: str
    order: str
    newest_first: bool = False

    def page(
        self, shards: Sequence[str], limit: int, cursor: str | None, where: Mapping[str, str]
    ) -> tuple[list[Item], str | None]:
        """At most `limit` items of all the shards in their common order, and the cursor of the next page.

        With `where`, only items with these values: a page may then be short, even empty, without being the last.
        """
        scope = "|".join([self.name, *shards, *(f"{name}={value}" for name, value in where.items())])
        starts: dict[str, Item] = decode_cursor(scope, cursor) or {shard: {} for shard in shards}
        if not starts.keys() <= set(shards):
            raise InvalidCursorError(NOT_OURS)
        parts = [self._read(shard, checked_key(start), limit, where) for shard, start in starts.items()]
        items = self._merged(parts)[:limit]
        rest = {part.shard: start for part in parts if (start := self._next_start(part, items)) is not None}
        return items, encode_cursor(scope, rest) if rest else None

    def _read(self, shard: str, start: Item, limit: int, where: Mapping[str, str]) -> _Part:
        query: dict[str, Any] = {
            "TableName": self.table,
            "IndexName": self.name,
            "KeyConditionExpression": "#shard = :shard",
            "ExpressionAttributeNames": {"#shard": self.shard} | {f"#{name}": name for name in where},
            "ExpressionAttributeValues": to_wire(
                {":shard": shard} | {f":{name}": value for name, value in where.items()}
            ),
            "ScanIndexForward": not self.newest_first,
            "Limit": limit,
        }
        if where:
            query["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in where)
        if start:
            query["ExclusiveStartKey"] = to_wire(start)
        with starting_at(start):
            reply = self.client.query(**query)
        last = reply.get("LastEvaluatedKey")
        return _Part(shard, start, [from_wire(item) for item in reply["Items"]], from_wire(last) if last else None)

    def _merged(self, parts: Sequence[_Part]) -> list[Item]:
        """All items in order, but only as far as every shard was read."""
        items = sorted(
            (item for part in parts for item in part.items),
            key=lambda item: str(item[self.order]),
            reverse=self.newest_first,
        )
        ends = [part.last[self.order] for part in parts if part.last]
        if not ends:
            return items
        if self.newest_first:
            return [item for item in items if item[self.order] >= max(ends)]
        return [item for item in items if item[self.order] <= min(ends)]

    def _next_start(self, part: _Part, shown: Sequence[Item]) -> Item | None:
        """After which key of the shard the next page goes on; None if all of it has been shown."""
        taken = [item for item in shown if item[self.shard] == part.shard]
        if len(taken) == len(part.items):
            return part.last
        if not taken:
            return part.start
        return {name: taken[-1][name] for name in (*self.table_key, self.shard, self.order)}
