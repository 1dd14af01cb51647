"""Pages of a long listing, and the opaque cursors between them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ricochet.errors import InvalidCursorError, InvalidLimitError
from ricochet.values.entity import PageView
from ricochet.values.ids import digest

DEFAULT_LIMIT = 20

MAX_LIMIT = 100

NOT_OURS = "cursor is not one of ours"

_REFUSALS_OF_A_KEY = {"ValidationException", "SerializationException"}

_NUMBER = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)


@dataclass(frozen=True)
class Page[E]:
    items: list[E]
    cursor: str | None

    def shown_as[V: PageView[Any]](self, view: type[V], show: Callable[[E], object] = lambda item: item) -> V:
        """The page as an answer, its items as `show` makes them."""
        return view(items=tuple(map(show, self.items)), next_cursor=self.cursor)


def parse_limit(text: str | None) -> int:
    """Return a page size from 1 to 100; raise InvalidLimitError for anything else."""
    if text is None:
        return DEFAULT_LIMIT
    if not _NUMBER.fullmatch(text) or int(text) > MAX_LIMIT:
        raise InvalidLimitError(f"limit must be a number from 1 to {MAX_LIMIT}")
    return int(text)


def encode_cursor(scope: str, key: Mapping[str, Any]) -> str:
    """Return an opaque text for `key`, valid only within `scope` (a user's earnings, a filter) and unchanged."""
    payload = json.dumps([key, _seal(scope, key)], separators=(",", ":"))
    return base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")


def decode_cursor(scope: str, cursor: str | None) -> dict[str, Any] | None:
    """Return the key in a cursor of `encode_cursor`; raise InvalidCursorError if it was changed or is of another scope.

    The seal finds mistakes and is no secret: a forged cursor can have a correct one. So a key must pass `checked_key`
    before it is used, and a read that starts at it must run inside `starting_at`.
    """
    if cursor is None:
        return None
    try:
        key, seal = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        sound = isinstance(key, dict) and seal == _seal(scope, key)
    except (ValueError, TypeError) as error:
        raise InvalidCursorError(NOT_OURS) from error
    if not sound:
        raise InvalidCursorError(NOT_OURS)
    return dict(key)


def checked_key(key: Any, names: Collection[str] = ()) -> dict[str, str]:
    """Return `key` if it has exactly these names (any, if none are given) with text values.

    Raise InvalidCursorError otherwise.
    """
    is_key = isinstance(key, dict) and all(isinstance(value, str) for value in key.values())
    if not is_key or (names and set(key) != set(names)):
        raise InvalidCursorError(NOT_OURS)
    return dict(key)


@contextmanager
def starting_at(key: object) -> Iterator[None]:
    """Raise InvalidCursorError where DynamoDB cannot start to read at a cursor's key."""
    try:
        yield
    except ClientError as error:
        if key and error.response.get("Error", {}).get("Code") in _REFUSALS_OF_A_KEY:
            raise InvalidCursorError(NOT_OURS) from error
        raise


def _seal(scope: str, key: Mapping[str, Any]) -> str:
    return digest("cursor", scope, json.dumps(key, sort_keys=True))[:12]
