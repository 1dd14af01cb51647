"""Masks secrets in URLs for logs, rows and partners."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

SECRET_NAMES = frozenset({"token", "secret", "key", "apikey", "hash", "hmac", "sig", "signature", "verifier"}) | {
    *("password", "passwd", "pass", "pwd", "auth"),
}

_ENDINGS = (
    "token",
    "secret",
    "password",
    "passwd",
    "userpass",
    "apikey",
    "secretkey",
    "authkey",
    "accesskey",
    "privatekey",
)

_PAIR = re.compile(r"(?<=[?&])([^=&#]*)=[^&#]*")

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def masked(url: str) -> str:
    """Return `url` with the values of secret parameters masked, and the rest unchanged."""
    return _PAIR.sub(lambda pair: f"{pair[1]}={MASK}" if _is_secret(pair[1]) else pair[0], url)


def _is_secret(name: str) -> bool:
    """Whether a part of the name means a secret, or ends so: `api_key`, `authtoken`, but not `keyword` or `monkey`."""
    parts = [part.lower() for part in _PART.findall(unquote_plus(name))]
    return any(part in SECRET_NAMES or part.endswith(_ENDINGS) for part in parts)


MASK = "***"
