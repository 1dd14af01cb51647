"""Macros such as `{click_id}` in partners' URLs and bodies, replaced in a single pass.

Replaced values are not searched for macros, so a click with the subid `{user_id}` sends just that text.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from typing import Never
from urllib.parse import quote, unquote, urlsplit

from ricochet.errors import CompositionError
from ricochet.ledger.notice import Notice

_MACRO = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")

_LOOKS_LIKE_ONE = re.compile(r"\{([^{}\"]+)\}")  # a JSON object has quotes in it

_DOT_SEGMENTS = frozenset({".", ".."})

ALIASES = {
    "clickid": "click_id",
    "amount": "payout",
    "sum": "payout",
    "revenue": "payout",
    "affiliate_id": "user_id",
    "txid": "transaction_id",
    "txn_id": "transaction_id",
}

# `subid` falls back to the click id.
FROM_NOTICE = frozenset(Notice.model_fields)

_COMPUTED = frozenset({"delivery_id", "random"})

NAMES = FROM_NOTICE | _COMPUTED | frozenset(ALIASES)

NUMBERS = frozenset({"payout", "amount", "sum", "revenue", "random"})

Encoding = Callable[[str], str]


def unknown_macros(template: str) -> list[str]:
    """Return a message for each macro that does not exist, with the nearest one that does."""
    messages = []
    for name in filter(str.strip, dict.fromkeys(_LOOKS_LIKE_ONE.findall(template))):
        if not name.isascii() or name.lower() not in NAMES:
            near = difflib.get_close_matches(name.lower(), NAMES, n=1, cutoff=0.0)
            messages.append(f"{{{name}}} is no macro; did you mean {{{near[0]}}}?")
    return messages


def fill_url(template: str, known: dict[str, str]) -> str:
    """Return the URL. Raise CompositionError if its path contains `.` or `..`, which clients and servers resolve."""
    url = fill(template, known, in_url)
    if any(unquote(segment) in _DOT_SEGMENTS for segment in urlsplit(url).path.split("/")):
        raise CompositionError("the URL's path has . or .. in it once its macros are filled in")
    return url


def fill_json(template: str, known: dict[str, str]) -> str:
    """Return the JSON text. Raise CompositionError if it is invalid, such as where a number is missing."""
    text = fill(template, known, in_json)
    try:
        _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        raise CompositionError(f"the body is not JSON once its macros are filled in ({error})") from error
    return text


def fill(template: str, known: dict[str, str], encode: Encoding) -> str:
    """Return `template` with each macro replaced. Raise CompositionError for a value that cannot be encoded."""
    try:
        return _MACRO.sub(lambda match: encode(known.get(match[1].lower(), "")), template)
    except UnicodeEncodeError as error:
        raise CompositionError("a macro's value is not valid Unicode") from error


def in_url(text: str) -> str:
    """Encode a macro's value for a URL or a form."""
    return quote(text, safe="")


def in_json(text: str) -> str:
    """Encode a macro's value for a JSON string in a body template."""
    text.encode()  # a lone surrogate would pass as an escape that few JSON parsers accept
    return json.dumps(text)[1:-1]


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_no_constant)
