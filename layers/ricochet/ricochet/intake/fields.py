"""Checks of single postback fields; errors name the field."""

from __future__ import annotations

from decimal import Decimal

from ricochet.errors import InvalidRequestError

MAX_TEXT = 128


def text(name: str, value: object) -> str:
    """Return a text, or a number as text. Raise InvalidRequestError for anything else, and for too long a text."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidRequestError(f"{name} must be a text", [f"{name}: {type(value).__name__} is not a text"])
    plain = str(value).strip()
    if len(plain) > MAX_TEXT:
        raise InvalidRequestError(f"{name} is longer than {MAX_TEXT} characters", [f"{name}: too long"])
    return plain
