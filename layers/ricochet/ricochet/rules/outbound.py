"""The request that tells one partner of one conversion."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import requests

from ricochet.models import times
from ricochet.models.delivery import Delivery
from ricochet.models.partner import ContentType, Method, Partner
from ricochet.rules import macros, signing

USER_AGENT = "Ricochet/1"
SECRET_PARAMETERS = frozenset({"token", "secret", "key", "api_key", "apikey", "hash", "sig", "signature"}) | {
    *("verifier", "security_token", "password"),
}

# What a POST without a template of its own says; the names are those of our own API.
DEFAULT_BODY = {
    "deliveryId": "delivery_id",
    "conversionId": "conversion_id",
    "clickId": "click_id",
    "status": "status",
    "payout": "payout",
    "currency": "currency",
    "productId": "product_id",
    "offerId": "offer_id",
    "transactionId": "transaction_id",
    "subid": "subid",
    "timestamp": "timestamp",
}


@dataclass(frozen=True)
class Outbound:
    method: Method
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def compose(delivery: Delivery, partner: Partner, moment: str) -> Outbound:
    """The request with all macros filled in, signed for the partner."""
    known = macros.values(delivery, partner)
    url = _as_sent(macros.fill(partner.postback_url, known, macros.in_url))
    body = _body(partner, known) if partner.method is Method.POST else None
    headers = {"user-agent": USER_AGENT, "accept": "*/*"}
    if body is not None:
        json_body = partner.content_type is ContentType.JSON
        headers["content-type"] = "application/json" if json_body else "application/x-www-form-urlencoded"
    payload = body if body is not None else _path_and_query(url).encode()
    headers |= signing.headers(partner.secrets_at(moment), delivery.delivery_id, times.epoch_seconds(moment), payload)
    return Outbound(partner.method, url, headers, body)


def masked(url: str) -> str:
    """`url` as logs and rows may show it: values of secret parameters are starred out."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    if not any(name.lower() in SECRET_PARAMETERS for name, _ in pairs):
        return url
    shown = [(name, "***" if name.lower() in SECRET_PARAMETERS else value) for name, value in pairs]
    return urlunsplit(parts._replace(query=urlencode(shown)))


def _body(partner: Partner, known: dict[str, str]) -> bytes:
    if partner.content_type is ContentType.JSON:
        if partner.body_template is not None:
            return macros.fill(partner.body_template, known, macros.in_json).encode()
        return json.dumps({name: known[macro] for name, macro in DEFAULT_BODY.items()}).encode()
    if partner.body_template is not None:
        return macros.fill(partner.body_template, known, macros.in_url).encode()
    return urlencode({name: known[macro] for name, macro in DEFAULT_BODY.items()}).encode()


def _as_sent(url: str) -> str:
    """The URL as `requests` will write it, which is what has to be signed; ValueError if it is none."""
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    return request.url or ""


def _path_and_query(url: str) -> str:
    request = requests.PreparedRequest()
    request.url = url
    return request.path_url
