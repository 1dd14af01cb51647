"""Listings that are spread over several partitions of an index, so that no partition takes all the writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ricochet.dynamodb.paging import NOT_OURS, Page, checked_key, decode_cursor, encode_cursor
from ricochet.dynamodb.query import Item
from ricochet.errors import InvalidCursorError

if TYPE_CHECKING:
    from ricochet.dynamodb.table import Table
    from ricochet.values.entity import Entity


@dataclass(frozen=True)
class _Part:
    """What was read of one shard after the key `start` (empty: from its beginning); more may follow after `last`."""

    shard: str
    start: Item
    items: list[Item]
    last: Item | None


@dataclass(frozen=True)
class ShardedIndex[E: Entity]:
    """An index whose partitions make up one listing; all names are those of attributes."""

    table: Table[E]
    name: str
    table_key: tuple[str, ...]
    shard: str
    order: str
    newest_first: bool = False

    def page(self, shards: Sequence[str], limit: int, cursor: str | None, where: Mapping[str, str]) -> Page[E]:
        """Return at most `limit` rows of all the shards in their common order.

        With `where`, only rows with these values: a page may then be short, even empty, without being the last.
        """
        scope = "|".join([self.name, *shards, *(f"{name}={value}" for name, value in where.items())])
        starts: dict[str, Item] = decode_cursor(scope, cursor) or {shard: {} for shard in shards}
        if not starts.keys() <= set(shards):
            raise InvalidCursorError(NOT_OURS)
        parts = [self._read(shard, checked_key(start), limit, where) for shard, start in starts.items()]
        items = self._merged(parts)[:limit]
        rest = {part.shard: start for part in parts if (start := self._next_start(part, items)) is not None}
        return Page(list(map(self.table.entity.from_item, items)), encode_cursor(scope, rest) if rest else None)

    def _read(self, shard: str, start: Item, limit: int, where: Mapping[str, str]) -> _Part:
        values: dict[str, Any] = {"shard": shard, **where}
        query = self.table.query(
            f"{self.shard} = :shard",
            index=self.name,
            where=" AND ".join(f"#{name} = :{name}" for name in where) or None,
            newest_first=self.newest_first,
            **values,
        )
        return _Part(shard, start, *query.after(start).read(limit))

    def _merged(self, parts: Sequence[_Part]) -> list[Item]:
        """Return all items in order, but only as far as every shard was read."""
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
        """Return the key of the shard after which the next page starts; None if all of it has been shown."""
        taken = [item for item in shown if item[self.shard] == part.shard]
        if len(taken) == len(part.items):
            return part.last
        if not taken:
            return part.start
        return {name: taken[-1][name] for name in (*self.table_key, self.shard, self.order)}
