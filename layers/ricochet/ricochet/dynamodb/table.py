"""What all tables have in common: one entity, one name, plain reads and conditional writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ricochet.dynamodb.expressions import Parameters, expressions, put, update
from ricochet.dynamodb.query import Query
from ricochet.dynamodb.wire import Wire, condition_failed, in_transaction, to_entity, to_wire

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.values.entity import Entity

MAX_KEY_BYTES = 1024
"""DynamoDB's limit for a sort key. A partition key may be twice as long, but no id of ours is."""


class Table[E: Entity]:
    """Rows of one entity. ClientError and BotoCoreError pass through: they are failures on our side."""

    entity: type[E]

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self.client = client
        self.name = name

    def query(
        self,
        condition: str,
        /,
        *,
        index: str | None = None,
        where: str | None = None,
        newest_first: bool = False,
        consistent: bool = False,
        page_size: int | None = None,
        **values: Any,
    ) -> Query[E]:
        """Return the rows that meet the key condition, and `where` too if it is given."""
        parameters = self._reading(index, values, KeyConditionExpression=condition, FilterExpression=where)
        parameters["ScanIndexForward"] = not newest_first
        if consistent:
            parameters["ConsistentRead"] = True
        if page_size:
            parameters["Limit"] = page_size
        return Query(self.client.query, self.entity, parameters)

    def scan(
        self, *, index: str | None = None, where: str | None = None, attributes: str | None = None, **values: Any
    ) -> Query[E]:
        """Return all rows, in no particular order; with `attributes`, their plain items have only these."""
        parameters = self._reading(index, values, FilterExpression=where, ProjectionExpression=attributes)
        return Query(self.client.scan, self.entity, parameters)

    def _reading(self, index: str | None, values: dict[str, Any], **texts: str | None) -> Parameters:
        table = {"TableName": self.name} | ({"IndexName": index} if index else {})
        return table | expressions(values, **texts)

    def _get(self, key: dict[str, str], *, consistent: bool = True) -> E | None:
        """Return the row, or None; also for an empty or too long key, which DynamoDB would refuse as our mistake."""
        if not all(0 < len(value.encode()) <= MAX_KEY_BYTES for value in key.values()):
            return None
        reply = self.client.get_item(TableName=self.name, Key=to_wire(key), ConsistentRead=consistent)
        item = reply.get("Item")
        return to_entity(self.entity, item) if item else None

    def _put_if(self, row: E, condition: str, /, **values: Any) -> bool:
        """Write `row`, or return False if `condition` does not hold for what is there."""
        return self._try_put(put(self.name, row, condition, **values))

    def _try_put(self, parameters: Parameters) -> bool:
        """Return False if the condition does not hold, or if a transaction is writing the same row just now."""
        try:
            self.client.put_item(**parameters)
        except ClientError as error:
            if condition_failed(error) or in_transaction(error):
                return False
            raise
        return True

    def _update_if(self, key: dict[str, str], change: str, condition: str, /, **values: Any) -> bool:
        """Change a row, or return False if `condition` does not hold for it."""
        return self._try_update(update(self.name, key, change, condition, **values)) is not None

    def _try_update(self, parameters: Parameters) -> Wire | None:
        """Return the attributes that `parameters` ask for (none, mostly), or None if the condition does not hold."""
        try:
            reply = self.client.update_item(**parameters)
        except ClientError as error:
            if condition_failed(error):
                return None
            raise
        return reply.get("Attributes", {})
