"""What all tables have in common: one entity, one name, plain reads and conditional writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ricochet.dynamodb.paging import Page, checked_key, decode_cursor, encode_cursor, starting_at
from ricochet.dynamodb.wire import Wire, condition_failed, from_wire, in_transaction, to_wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.values.entity import Entity

MAX_KEY_BYTES = 1024
"""What DynamoDB takes in a sort key. It takes twice that in a partition key, but no id of ours is that long either."""


class Table[E: Entity]:
    """Rows of one entity. ClientError and BotoCoreError pass through: they are our own side's failures."""

    entity: type[E]

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self.client = client
        self.name = name

    def _get(self, key: dict[str, str], *, consistent: bool = True) -> E | None:
        """The row; None also for a key that none can have, which DynamoDB would refuse as our mistake."""
        if not all(0 < len(value.encode()) <= MAX_KEY_BYTES for value in key.values()):
            return None
        reply = self.client.get_item(TableName=self.name, Key=to_wire(key), ConsistentRead=consistent)
        item = reply.get("Item")
        return self.entity.from_item(from_wire(item)) if item else None

    def _put_if(self, row: E, condition: str, values: dict[str, Any] | None = None, **names: str) -> bool:
        """Whether `row` was written; not where `condition` does not hold for what is there."""
        return self._try_put(self._conditional_put(row, condition, values, **names))

    def _conditional_put(
        self, row: E, condition: str, values: dict[str, Any] | None = None, **names: str
    ) -> dict[str, Any]:
        """A put for `_try_put` or for a transaction."""
        put: dict[str, Any] = {"TableName": self.name, "Item": self.wire(row), "ConditionExpression": condition}
        if values:
            put["ExpressionAttributeValues"] = to_wire(values)
        if names:
            put["ExpressionAttributeNames"] = {f"#{name}": real for name, real in names.items()}
        return put

    def _try_put(self, put: dict[str, Any]) -> bool:
        """False where its condition does not hold, or where a transaction is at the same row just now."""
        try:
            self.client.put_item(**put)
        except ClientError as error:
            if condition_failed(error) or in_transaction(error):
                return False
            raise
        return True

    def _page(self, scope: str, limit: int, cursor: str | None, query: dict[str, Any]) -> Page[E]:
        """One page of a Query (or of a Scan, where `query` has no key condition)."""
        start = decode_cursor(scope, cursor)
        if start:
            query = query | {"ExclusiveStartKey": to_wire(checked_key(start))}
        read = self.client.query if "KeyConditionExpression" in query else self.client.scan
        with starting_at(start):
            reply = read(TableName=self.name, Limit=limit, **query)
        last = reply.get("LastEvaluatedKey")
        return Page(
            [self.entity.from_item(from_wire(item)) for item in reply["Items"]],
            encode_cursor(scope, {name: str(value) for name, value in from_wire(last).items()}) if last else None,
        )

    @staticmethod
    def wire(row: Entity) -> Wire:
        return to_wire(row.to_item())
