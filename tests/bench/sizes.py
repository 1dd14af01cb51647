"""How large an item is by DynamoDB's published rules, and what is true of nearly all of a population."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.bench.report import Row

CLICK_BYTES = 1_024


def rows(items: Mapping[str, list[dict[str, Any]]]) -> list[Row]:
    """Return the size of each kind of item in bytes at p99; only clicks have goals."""
    sizes = {kind: [item_size(item) for item in found] for kind, found in items.items()}
    return [
        Row(f"{kind}, p99 of {len(found)}", percentile(found, 99), CLICK_BYTES if "click" in kind else None)
        for kind, found in sizes.items()
    ]


def percentile[N: float](values: Sequence[N], percent: float) -> N:
    """Return the smallest value that is not below `percent` of all (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def item_size(item: Mapping[str, Any]) -> int:
    """Return the bytes of an item in wire format: UTF-8 names plus values, as DynamoDB's guide counts them."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    size = {"S": _text_size, "N": _number_size, "B": len, "L": _list_size, "M": _map_size}.get(kind)
    return size(content) if size else 1  # booleans and nulls; Ricochet stores no sets


def _text_size(text: str) -> int:
    return len(text.encode())


def _number_size(text: str) -> int:
    """One byte for every two significant digits, one more, and one for a minus sign."""
    sign, digits, _ = Decimal(text).normalize().as_tuple()
    return math.ceil(len(digits) / 2) + 1 + sign


def _list_size(elements: Sequence[Mapping[str, Any]]) -> int:
    """Lists and maps take 3 bytes, and 1 for each element."""
    return 3 + sum(1 + _value_size(element) for element in elements)


def _map_size(fields: Mapping[str, Any]) -> int:
    return 3 + len(fields) + item_size(fields)
