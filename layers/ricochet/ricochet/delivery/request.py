"""The postback request for one delivery: filled in, encoded and signed."""

from __future__ import annotations

import json
import random

from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners import macros
from ricochet.delivery.partners.macros import ALIASES, FROM_NOTICE
from ricochet.delivery.partners.partner import ContentType, Partner
from ricochet.errors import CompositionError
from ricochet.http.outbound import Method, Outbound
from ricochet.http.plain_url import normalized_url, target_of
from ricochet.values import signing, times
from ricochet.values.times import Moment

USER_AGENT = "Ricochet/1"

MAX_URL_BYTES = 8 * 1024
"""The limit of common servers (nginx, Apache), which answer 414 to longer ones."""

MAX_POST_BYTES = 64 * 1024

# The body of a POST without a template: our API's names and the macros that fill them.
_DEFAULT_FIELDS = {
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

_DEFAULT_BODIES = {
    ContentType.JSON: json.dumps({name: f"{{{macro}}}" for name, macro in _DEFAULT_FIELDS.items()}),
    ContentType.FORM: "&".join(f"{name}={{{macro}}}" for name, macro in _DEFAULT_FIELDS.items()),
}

_CONTENT_TYPES = {ContentType.JSON: "application/json", ContentType.FORM: "application/x-www-form-urlencoded"}


def compose(delivery: Delivery, partner: Partner, moment: Moment) -> Outbound:
    """Return the request with its macros filled in, signed for the partner. Raise CompositionError if that fails.

    The macros' values go into the URL and the body only, never into a header.
    """
    values = macro_values(delivery, partner)
    url = _url(partner, values)
    body = _body(partner, values) if partner.method is Method.POST else None
    headers = {"user-agent": USER_AGENT, "accept": "*/*"}
    if body is not None:
        headers["content-type"] = _CONTENT_TYPES[partner.content_type]
    payload = body if body is not None else target_of(url).encode()
    timestamp = times.epoch_seconds(moment)
    headers |= signing.headers(partner.secrets_at(moment), delivery.delivery_id, timestamp, payload)
    return Outbound(partner.method, url, headers, body)


def _url(partner: Partner, values: dict[str, str]) -> str:
    try:
        url = normalized_url(macros.fill_url(partner.postback_url, values))
    except ValueError as error:  # its own text would show the URL with its secrets
        raise CompositionError("the URL is invalid once its macros are filled in") from error
    if len(url) > MAX_URL_BYTES:
        raise CompositionError(f"the URL is over {MAX_URL_BYTES // 1024} KiB once its macros are filled in")
    return url


def _body(partner: Partner, values: dict[str, str]) -> bytes:
    template = _DEFAULT_BODIES[partner.content_type] if partner.body_template is None else partner.body_template
    if partner.content_type is ContentType.JSON:
        body = macros.fill_json(template, values).encode()
    else:
        body = macros.fill(template, values, macros.in_url).encode()
    if len(body) > MAX_POST_BYTES:
        raise CompositionError(f"the body is over {MAX_POST_BYTES // 1024} KiB once its macros are filled in")
    return body


def macro_values(delivery: Delivery, partner: Partner) -> dict[str, str]:
    """Return the value of each macro for this delivery."""
    notice = delivery.notice
    values = {name: str(getattr(notice, name)) for name in FROM_NOTICE}
    values |= {
        "status": partner.status_word(notice.status),
        "subid": notice.subid or notice.click_id,
        "delivery_id": delivery.delivery_id,
        "random": f"{random.getrandbits(63):d}",
    }
    return values | {alias: values[name] for alias, name in ALIASES.items()}
