"""Reading many rows: as entities, as plain items, as a count, or one page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from ricochet.dynamodb.paging import Page, checked_key, decode_cursor, encode_cursor, starting_at
from ricochet.dynamodb.wire import from_wire, to_wire

if TYPE_CHECKING:
    from ricochet.dynamodb.expressions import Parameters
    from ricochet.values.entity import Entity

Item = dict[str, Any]


@dataclass(frozen=True)
class Query[E: Entity]:
    """A Query or a Scan. Nothing is read until it is iterated, and then only as far as the iteration goes."""

    call: Callable[..., Any]
    """The operation of a client, Query or Scan."""
    entity: type[E]
    parameters: Parameters
    start: Mapping[str, str] | None = None
    """The key after which reading starts, from a cursor."""

    def __iter__(self) -> Iterator[E]:
        return map(self.entity.from_item, self.items())

    def items(self) -> Iterator[Item]:
        """Return the plain items, for an index that holds only some attributes of its rows."""
        return (from_wire(item) for reply in self._replies() for item in reply["Items"])

    def count(self) -> int:
        return sum(reply["Count"] for reply in self._replies(Select="COUNT"))

    def after(self, key: Mapping[str, str] | None) -> Self:
        """Return the query from after a key on; reading raises InvalidCursorError if DynamoDB cannot start there."""
        return replace(self, start=key)

    def page(self, scope: str, limit: int, cursor: str | None) -> Page[E]:
        """Return a page of at most `limit` rows; its cursor is valid for queries of the same `scope` only."""
        start = decode_cursor(scope, cursor)
        items, last = self.after(checked_key(start) if start else None).read(limit)
        following = encode_cursor(scope, {name: str(value) for name, value in last.items()}) if last else None
        return Page([self.entity.from_item(item) for item in items], following)

    def read(self, limit: int) -> tuple[list[Item], Item | None]:
        """Return the items of one reply, and the key after which there may be more (None at the end)."""
        reply = next(self._replies(Limit=limit))
        last = reply.get("LastEvaluatedKey")
        return [from_wire(item) for item in reply["Items"]], from_wire(last) if last else None

    def _replies(self, **more: Any) -> Iterator[dict[str, Any]]:
        parameters = self.parameters | more
        if self.start:
            parameters["ExclusiveStartKey"] = to_wire(self.start)
        with starting_at(self.start):
            while True:
                reply = self.call(**parameters)
                yield reply
                if not (last := reply.get("LastEvaluatedKey")):
                    return
                parameters["ExclusiveStartKey"] = last
