"""Converts entities to and from DynamoDB's wire format, and recognises its refusals."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from ricochet.values.entity import Entity

Wire = dict[str, Any]


def to_wire(item: Mapping[str, Any]) -> Wire:
    return {name: _typed(value) for name, value in item.items()}


def from_wire(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in item.items()}


def to_entity[E: Entity](entity: type[E], item: Mapping[str, Any]) -> E:
    return entity.from_item(from_wire(item))


def _typed(value: Any) -> Wire:  # noqa: PLR0911 - one for each type
    """Return a value with its DynamoDB type. Raise TypeError for other types, such as floats and sets."""
    match value:
        case str():
            return {"S": str(value)}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case None:
            return {"NULL": True}
        case Mapping():
            return {"M": to_wire(value)}
        case list() | tuple():
            return {"L": [_typed(one) for one in value]}
    raise TypeError(f"{type(value).__name__} is not stored")


def _plain(typed: Wire) -> Any:
    ((kind, value),) = typed.items()
    match kind:
        case "S" | "B" | "BOOL":
            return value
        case "N":
            return Decimal(value)
        case "M":
            return from_wire(value)
        case "L":
            return [_plain(one) for one in value]
        case "NULL":
            return None
    raise TypeError(f"{kind} is not stored")


def condition_failed(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"


def in_transaction(error: ClientError) -> bool:
    """Whether a write was refused because a transaction was under way on the same item."""
    return error.response.get("Error", {}).get("Code") == "TransactionConflictException"
