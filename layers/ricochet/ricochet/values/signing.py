"""Signatures as in the Standard Webhooks specification (https://www.standardwebhooks.com), version `v1`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"


def new_secret() -> str:
    """Return `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(keys: Sequence[str], message_id: str, timestamp: int, payload: bytes) -> dict[str, str]:
    """Return the three headers. `keys` are secrets, newest first, each with a signature of its own.

    `timestamp` is in epoch seconds, `payload` is the body (of a GET: its path and query).
    """
    signatures = (f"v1,{signature(key, message_id, timestamp, payload)}" for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def signature(secret: str, message_id: str, timestamp: int, payload: bytes) -> str:
    """Raise ValueError for a secret that is empty or not base64: anyone could sign with an empty key."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    if not key:
        raise ValueError("the secret is empty")
    signed = f"{message_id}.{timestamp}.".encode() + payload
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
