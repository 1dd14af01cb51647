"""Identifiers: random where they must not be guessed, derived where a repeat must find the same thing."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import uuid
from collections.abc import Sequence

from ricochet.errors import InvalidClickIdError
from ricochet.values import times
from ricochet.values.times import Moment

_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def new_click_id() -> str:
    return str(uuid.uuid4())


def parse_click_id(text: str) -> str:
    """Return the dashed form of a click id given dashed or as 32 hex digits (some networks refuse dashes)."""
    candidate = text.strip()
    if not _UUID.fullmatch(candidate):
        raise InvalidClickIdError
    return str(uuid.UUID(candidate))


def canonical_click_id(text: str) -> str:
    """Return the dashed form of a click id of ours, and any other text as it is."""
    try:
        return parse_click_id(text)
    except InvalidClickIdError:
        return text


def digest(*parts: object) -> str:
    """Return 64 upper-case hex digits that depend on every part and on the boundaries between them."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest().upper()


def pick(text: str, choices: Sequence[str]) -> str:
    """Return one of the choices, the same for the same text: spreads rows over the partitions of an index."""
    return choices[int(digest(text)[:8], 16) % len(choices)]


def conversion_id(source: str, dedupe_key: tuple[str, ...]) -> str:
    """Return `CONV-` and 24 hex digits of SHA-256 over the source and its own key for the conversion."""
    return f"CONV-{digest(source, *dedupe_key)[:24]}"


def earning_id(earned_at: Moment, *parts: object) -> str:
    """Return an id that sorts by time; the same for the same moment and parts, so that a repeat writes the same row."""
    return first_earning_id(earned_at) + digest(*parts)[:16]


def first_earning_id(earned_at: Moment) -> str:
    """Return an id that sorts before every earning of that moment, and after all earlier ones."""
    return f"EARN-{times.epoch_milliseconds(earned_at):012X}-"


def delivery_id(conversion_id: str, version: int, partner_id: str) -> str:
    """Return an id that is the same for every attempt: receivers use it to drop duplicates (`webhook-id`)."""
    return f"dlv_{digest(conversion_id, version, partner_id)[:24].lower()}"


def new_id(prefix: str) -> str:
    """Return an id such as `prod_8vr2k0xq3m5t` (60 random bits)."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    return f"{prefix}_" + "".join(secrets.choice(alphabet) for _ in range(12))


def new_receipt_id(received_at: Moment) -> str:
    return f"{first_receipt_id(received_at)}-{secrets.token_hex(8).upper()}"


def first_receipt_id(received_at: Moment) -> str:
    """Return an id that sorts before every receipt of that moment, and after all earlier ones."""
    return f"RCPT-{times.epoch_milliseconds(received_at):012X}"


def new_token(prefix: str) -> str:
    """Return a secret of 192 random bits, safe in URLs."""
    return f"{prefix}_{secrets.token_urlsafe(24)}"


def referral_code(user_id: str) -> str:
    """Return 12 letters and digits that a user can read out; the same for the same user."""
    number = int(digest("referral code", user_id)[:15], 16)
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return "".join(alphabet[(number >> shift) & 31] for shift in range(55, -1, -5))
