"""Between entities and DynamoDB's wire format, and what its refusals mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize

Wire = dict[str, Any]


def to_wire(item: Mapping[str, Any]) -> Wire:
    return {name: _serialize(value) for name, value in item.items()}


def from_wire(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(_deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Binary) else value  # type: ignore[attr-defined]


def condition_failed(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"


def refused_item(error: ClientError) -> dict[str, Any] | None:
    """The item as it is, where a failed condition was asked to return it."""
    wire = error.response.get("Item")
    return from_wire(wire) if isinstance(wire, dict) and wire else None
