"""Authenticates the postbacks of a product's advertiser."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from ricochet.clicks.product import AuthMode, Product, hash_token
from ricochet.intake.raw_postback import RawPostback
from ricochet.values import signing, times

TOLERANCE = timedelta(minutes=5)


def is_authentic(product: Product, token: str | None, raw: RawPostback) -> bool:
    """Return whether the token, signature or address is valid, whichever the product requires."""
    match product.postback_auth.mode:
        case AuthMode.SECRET:
            expected = product.postback_token_hash
            return bool(token and expected) and hmac.compare_digest(hash_token(token or ""), expected or "")
        case AuthMode.SIGNATURE:
            return product.postback_secret is not None and is_signed(raw, product.postback_secret)
        case AuthMode.IP:
            address = ip_address(raw.source_ip)
            return any(address in ip_network(cidr) for cidr in product.postback_auth.allowed_cidrs)
        case AuthMode.OPEN:
            return True


def is_signed(raw: RawPostback, secret: str) -> bool:
    """Whether the Standard Webhooks headers fit, and were no more than five minutes off when the postback arrived.

    The signature covers the body, which must be UTF-8; without a body, the path and the query.
    """
    message_id = raw.header("webhook-id") or ""
    payload = raw.body or f"{raw.path}?{raw.query}".encode()
    try:
        payload.decode()
        timestamp = int(raw.header("webhook-timestamp") or "")
        age = times.parse(raw.received_at) - datetime.fromtimestamp(timestamp, UTC)
        expected = f"v1,{signing.signature(secret, message_id, timestamp, payload)}"
    except (ValueError, OverflowError, OSError):
        return False
    given = (raw.header("webhook-signature") or "").split()
    fits = any(hmac.compare_digest(one.encode(), expected.encode()) for one in given)
    return bool(message_id) and abs(age) <= TOLERANCE and fits
