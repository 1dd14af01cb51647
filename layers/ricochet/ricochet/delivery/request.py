"""The request that tells one partner of one conversion."""

from __future__ import annotations

import json
import random

import requests

from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners import macros
from ricochet.delivery.partners.macros import ALIASES, FROM_NOTICE
from ricochet.delivery.partners.partner import ContentType, Partner
from ricochet.errors import CompositionError
from ricochet.http.outbound import Method, Outbound
from ricochet.values import signing, times

USER_AGENT = "Ricochet/1"

MAX_URL_BYTES = 8 * 1024
"""What common servers take (nginx, Apache); a longer one would be answered 414 at best."""

MAX_BODY_BYTES = 64 * 1024

# What a POST without a template of its own says; the names are those of our own API.
_USUAL_FIELDS = {
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

_USUAL_BODIES = {
    ContentType.JSON: json.dumps({name: f"{{{macro}}}" for name, macro in _USUAL_FIELDS.items()}),
    ContentType.FORM: "&".join(f"{name}={{{macro}}}" for name, macro in _USUAL_FIELDS.items()),
}

_CONTENT_TYPES = {ContentType.JSON: "application/json", ContentType.FORM: "application/x-www-form-urlencoded"}


def compose(delivery: Delivery, partner: Partner, moment: str) -> Outbound:
    """The request with all macros filled in, signed for the partner; CompositionError if there can be none.

    What the macros stand for goes into the URL and the body only, never into a header.
    """
    known = macro_values(delivery, partner)
    url = _url(partner, known)
    body = _body(partner, known) if partner.method is Method.POST else None
    headers = {"user-agent": USER_AGENT, "accept": "*/*"}
    if body is not None:
        headers["content-type"] = _CONTENT_TYPES[partner.content_type]
    payload = body if body is not None else _path_and_query(url).encode()
    timestamp = times.epoch_seconds(moment)
    headers |= signing.headers(partner.secrets_at(moment), delivery.delivery_id, timestamp, payload)
    return Outbound(partner.method, url, headers, body)


def _url(partner: Partner, known: dict[str, str]) -> str:
    try:
        url = _as_sent(macros.fill_url(partner.postback_url, known))
    except ValueError as error:  # its own text would show the URL, and with it secrets
        raise CompositionError("the URL is none once its macros are filled in") from error
    if len(url) > MAX_URL_BYTES:
        raise CompositionError(f"the URL is over {MAX_URL_BYTES // 1024} KiB once its macros are filled in")
    return url


def _body(partner: Partner, known: dict[str, str]) -> bytes:
    template = _USUAL_BODIES[partner.content_type] if partner.body_template is None else partner.body_template
    if partner.content_type is ContentType.JSON:
        body = macros.fill_json(template, known).encode()
    else:
        body = macros.fill(template, known, macros.in_url).encode()
    if len(body) > MAX_BODY_BYTES:
        raise CompositionError(f"the body is over {MAX_BODY_BYTES // 1024} KiB once its macros are filled in")
    return body


def _as_sent(url: str) -> str:
    """The URL as `requests` will write it, which is what has to be signed; ValueError if it is none."""
    request = requests.PreparedRequest()
    request.prepare_url(url, None)
    return request.url or ""


def _path_and_query(url: str) -> str:
    request = requests.PreparedRequest()
    request.url = url
    return request.path_url


def macro_values(delivery: Delivery, partner: Partner) -> dict[str, str]:
    """What each macro stands for in this delivery to this partner."""
    notice = delivery.notice
    known = {name: str(getattr(notice, name)) for name in FROM_NOTICE}
    known |= {
        "status": partner.status_word(notice.status),
        "subid": notice.subid or notice.click_id,
        "delivery_id": delivery.delivery_id,
        "random": f"{random.getrandbits(63):d}",
    }
    return known | {alias: known[name] for alias, name in ALIASES.items()}
