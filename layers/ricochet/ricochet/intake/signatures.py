"""How networks prove that a postback is theirs: digests of parts of it, with a shared secret.

Several cover only part of the message, so a valid signature is not enough: the product caps amounts, the click must
belong to the user that is named, and a transaction that is known with another amount is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from ricochet.intake.raw_postback import RawPostback

Proof = Callable[[RawPostback, Mapping[str, Any], str | None], bool]

Text = Callable[[Mapping[str, Any], str], str]


def path_key(raw: RawPostback, fields: Mapping[str, Any], secret: str | None) -> bool:  # noqa: ARG001
    """Return whether the `token` parameter is the secret; without a secret the unguessable path is enough."""
    return secret is None or _same(str(fields.get("token", "")), secret)


def token(parameter: str) -> Proof:
    """The secret itself, in a parameter."""

    def proof(_raw: RawPostback, fields: Mapping[str, Any], secret: str | None) -> bool:
        return secret is not None and _same(str(fields.get(parameter, "")), secret)

    return proof


def digest_of(parameter: str, algorithm: str, text: Text) -> Proof:
    """A digest, in `parameter`, of a text that is made of some fields and the secret."""

    def proof(_raw: RawPostback, fields: Mapping[str, Any], secret: str | None) -> bool:
        if secret is None:
            return False
        return _same_hex(fields.get(parameter), hashlib.new(algorithm, text(fields, secret).encode()).hexdigest())

    return proof


def joined(names: tuple[str, ...], separator: str = "", *, secret_first: bool = False) -> Text:
    """The named fields and the secret, joined by `separator`; absent fields are empty."""

    def text(fields: Mapping[str, Any], secret: str) -> str:
        values = [str(fields.get(name, "")) for name in names]
        return separator.join([secret, *values] if secret_first else [*values, secret])

    return text


def hmac_of_url(parameter: str, algorithm: str) -> Proof:
    """HMAC of the public URL as requested, without the digest itself; parameters behind the digest count as well."""
    own = re.compile(rf"[?&]{re.escape(parameter)}=[^&]*")

    def proof(raw: RawPostback, fields: Mapping[str, Any], secret: str | None) -> bool:
        signed, found = own.subn("", f"{raw.base_url}{raw.path}?{raw.query}")
        if secret is None or found != 1:
            return False
        return _same_hex(fields.get(parameter), hmac.new(secret.encode(), signed.encode(), algorithm).hexdigest())

    return proof


def hmac_of_body(header: str, algorithm: str) -> Proof:
    """HMAC of the raw body, in a header."""

    def proof(raw: RawPostback, _fields: Mapping[str, Any], secret: str | None) -> bool:
        if secret is None:
            return False
        return _same_hex(raw.header(header), hmac.new(secret.encode(), raw.body, algorithm).hexdigest())

    return proof


def hmac_of_sorted_query(header: str, algorithm: str) -> Proof:
    """HMAC, in a header, of the query with its parameters sorted by name and encoded as PHP does."""

    def proof(raw: RawPostback, _fields: Mapping[str, Any], secret: str | None) -> bool:
        if secret is None:
            return False
        pairs = sorted(parse_qsl(raw.query, keep_blank_values=True))
        text = "&".join(f"{_php_encoded(name)}={_php_encoded(value)}" for name, value in pairs)
        return _same_hex(raw.header(header), hmac.new(secret.encode(), text.encode(), algorithm).hexdigest())

    return proof


def _php_encoded(text: str) -> str:
    return quote_plus(text, safe="-_.").replace("~", "%7E")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _same_hex(given: object, expected: str) -> bool:
    return isinstance(given, str) and _same(given.strip().lower(), expected)
