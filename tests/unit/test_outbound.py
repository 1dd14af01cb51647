"""The request that tells a partner: filled in, encoded for where it goes, and signed as it will be sent."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from ricochet.models.partner import ContentType, Method
from ricochet.rules import signing
from ricochet.rules.outbound import compose, masked
from tests.unit.builders import CLICK_ID, IN_AN_HOUR, SECRET, a_delivery, a_notice, a_partner

AN_HOUR_IN_EPOCH = 1772370000


def outbound(notice: dict | None = None, **partner):
    return compose(a_delivery(a_notice(**notice or {})), a_partner(**partner), IN_AN_HOUR)


def signature_of(payload: bytes) -> str:
    return "v1," + signing.signature(SECRET, a_delivery().delivery_id, AN_HOUR_IN_EPOCH, payload)


def on_the_wire(url: str) -> str:
    """The request target that `requests` puts on its first line."""
    return requests.Request("GET", url).prepare().path_url


def test_a_get_carries_the_values_in_its_url_and_no_body():
    request = outbound(
        {"sub1": "a b&c"}, postback_url="https://p.example/cb/{sub1}?c={click_id}&s={Status}&p={sum}&e={px}"
    )
    assert request.method is Method.GET
    assert request.url == f"https://p.example/cb/a%20b%26c?c={CLICK_ID}&s=Purchase&p=2.5&e="
    assert request.body is None
    assert "content-type" not in request.headers


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("https://p.example/cb?c={click_id}", f"/cb?c={CLICK_ID}"),
        ("https://p.example", "/"),
        ("https://p.example?c={sub1}", "/?c=%C3%A9%20%26"),
        ("https://p.example:8443/a/b;x=1?q=a,b#part", "/a/b;x=1?q=a,b"),
    ],
)
def test_a_get_is_signed_over_its_path_and_query(url, signed):
    request = outbound({"sub1": "\u00e9 &"}, postback_url=url)
    assert request.headers["webhook-signature"] == signature_of(signed.encode())
    assert on_the_wire(request.url) == signed


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://p.example/cb?back=https%3a%2f%2fx.example",
            "https://p.example/cb?back=%7ex%41",
            "https://p.example/%e9",
        ),
        *(
            "https://p.example/cb?sub[]=1",
            "https://p.example/a[1]",
            "https://p.example/cb?x=a|b^c",
            "https://p.example/cb?x=\u00e9",
        ),
        *("https://p.example/a/../cb", "https://p.example/./cb", "https://p.example//cb", "https://p.example/cb?"),
        *(
            "https://p.example/100%",
            "https://p.example/cb?x=%",
            "https://p.example/cb?x=%zz",
            "https://p.example/cb?a=1?b=2",
        ),
    ],
)
def test_what_is_signed_is_what_is_sent(url):
    request = outbound(postback_url=url)
    assert request.headers["webhook-signature"] == signature_of(on_the_wire(request.url).encode())


@pytest.mark.parametrize("method", Method)
def test_every_request_says_who_sends_it_and_when(method):
    headers = outbound(method=method).headers
    assert headers["user-agent"] == "Ricochet/1"
    assert headers["webhook-id"] == a_delivery().delivery_id
    assert headers["webhook-timestamp"] == str(AN_HOUR_IN_EPOCH)
    assert not any("\n" in value or "\r" in value for value in headers.values())


DEFAULT = {
    "deliveryId": a_delivery().delivery_id,
    "conversionId": "CONV-1",
    "clickId": CLICK_ID,
    "status": "Purchase",
    "payout": "2.5",
    "currency": "USD",
    "productId": "",
    "offerId": "",
    "transactionId": 'T"1&\u00e9',
    "subid": CLICK_ID,
    "timestamp": IN_AN_HOUR,
}


@pytest.mark.parametrize(
    ("content_type", "header", "read"),
    [
        (ContentType.JSON, "application/json", json.loads),
        (ContentType.FORM, "application/x-www-form-urlencoded", lambda body: dict(parse_qsl(body.decode(), True))),
    ],
)
def test_a_post_without_a_template_says_the_usual(content_type, header, read):
    request = outbound({"transaction_id": 'T"1&\u00e9'}, method=Method.POST, content_type=content_type)
    assert read(request.body) == DEFAULT
    assert request.headers["content-type"] == header
    assert request.headers["webhook-signature"] == signature_of(request.body)


@pytest.mark.parametrize(
    ("content_type", "template", "body"),
    [
        (
            ContentType.JSON,
            '{"id": "{click_id}", "p": {payout}, "t": "{sub1}"}',
            {"id": CLICK_ID, "p": 2.5, "t": '"\n&='},
        ),
        (ContentType.FORM, "id={click_id}&p={payout}&t={sub1}", {"id": CLICK_ID, "p": "2.5", "t": '"\n&='}),
    ],
)
def test_a_template_is_filled_in_as_its_content_type_wants(content_type, template, body):
    request = outbound({"sub1": '"\n&='}, method=Method.POST, content_type=content_type, body_template=template)
    read = json.loads(request.body) if content_type is ContentType.JSON else dict(parse_qsl(request.body.decode()))
    assert read == body
    assert request.headers["webhook-signature"] == signature_of(request.body)


def test_a_get_ignores_a_body_template():
    assert outbound(body_template='{"a": 1}').body is None


@pytest.mark.parametrize(
    "name", ["token", "secret", "key", "hash", "sig", "signature", "verifier", "security_token", "TOKEN"]
)
def test_secrets_in_a_url_are_not_shown(name):
    shown = masked(f"https://p.example/cb?click=1&{name}=s3cret&x=")
    assert "s3cret" not in shown
    assert parse_qsl(urlsplit(shown).query, keep_blank_values=True) == [("click", "1"), (name, "***"), ("x", "")]


def test_a_url_without_secrets_is_shown_as_it_is():
    url = "https://p.example/cb?b=%e9+1&&a"
    assert masked(url) is url
