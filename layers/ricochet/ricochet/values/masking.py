"""What logs, rows and partners may see of a URL that has secrets in it."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

SECRET_WORDS = frozenset({"token", "secret", "key", "apikey", "hash", "hmac", "sig", "signature", "verifier"}) | {
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

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def masked(url: str) -> str:
    """`url` with the values of secret parameters starred out, and all else as it was."""
    return _PAIR.sub(lambda pair: f"{pair[1]}={MASK}" if _is_secret(pair[1]) else pair[0], url)


def _is_secret(name: str) -> bool:
    """Whether a word in it is one for secrets, or ends so: `api_key`, `authtoken`, but not `keyword` or `monkey`."""
    words = [word.lower() for word in _WORD.findall(unquote_plus(name))]
    return any(word in SECRET_WORDS or word.endswith(_ENDINGS) for word in words)


MASK = "***"
