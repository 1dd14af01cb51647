"""Parameters of reads and writes, from DynamoDB's expressions and the values for their placeholders.

In an expression `:now` is the value that is given as `now`, and `#status` the attribute `status`: a name is written
with `#` where DynamoDB reserves it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ricochet.dynamodb.wire import to_wire

if TYPE_CHECKING:
    from ricochet.values.entity import Entity

Parameters = dict[str, Any]

_RESERVED_NAME = re.compile(r"#(\w+)")


def put(table: str, row: Entity, condition: str | None = None, /, **values: Any) -> Parameters:
    return {"TableName": table, "Item": to_wire(row.to_item())} | expressions(values, ConditionExpression=condition)


def update(
    table: str, key: Mapping[str, str], change: str, condition: str | None = None, /, **values: Any
) -> Parameters:
    written = expressions(values, UpdateExpression=change, ConditionExpression=condition)
    return {"TableName": table, "Key": to_wire(key)} | written


def check(table: str, key: Mapping[str, str], condition: str, /, **values: Any) -> Parameters:
    return {"TableName": table, "Key": to_wire(key)} | expressions(values, ConditionExpression=condition)


def expressions(values: Mapping[str, Any], **texts: str | None) -> Parameters:
    """Return the expressions that are given, with the values and the reserved names that stand in them."""
    parameters: Parameters = {name: text for name, text in texts.items() if text is not None}
    if names := _RESERVED_NAME.findall(" ".join(parameters.values())):
        parameters["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if values:
        parameters["ExpressionAttributeValues"] = to_wire({f":{name}": value for name, value in values.items()})
    return parameters
