"""The postback request: filled in, encoded for its place, and signed as it is sent."""

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from ricochet.delivery.partners.partner import ContentType
from ricochet.delivery.request import MAX_POST_BYTES, MAX_URL_BYTES, compose
from ricochet.errors import CompositionError
from ricochet.http.outbound import Method
from ricochet.ledger.notice import Notice
from ricochet.values import signing
from tests.unit.builders import CLICK_ID, IN_AN_HOUR, NOON, SECRET, TOMORROW, a_delivery, a_notice, a_partner

AN_HOUR_IN_EPOCH = 1772370000
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def outbound(notice: dict | None = None, **partner):
    return compose(a_delivery(a_notice(**notice or {})), a_partner(**partner), IN_AN_HOUR)


def signature_of(payload: bytes, secret: str = SECRET) -> str:
    return "v1," + signing.signature(secret, a_delivery().delivery_id, AN_HOUR_IN_EPOCH, payload)


def on_the_wire(url: str) -> str:
    """Return the request target that `requests` sends."""
    return requests.Request("GET", url).prepare().path_url


def test_get_has_the_values_in_its_url_and_no_body():
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
def test_get_is_signed_over_its_path_and_query(url, signed):
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
        *("https://p.example//cb", "https://p.example/cb?", "https://p.example/a..b/.c/...", "https://p.example//"),
        *(
            "https://p.example/100%",
            "https://p.example/cb?x=%",
            "https://p.example/cb?x=%zz",
            "https://p.example/cb?a=1?b=2",
        ),
    ],
)
def test_signed_target_is_the_one_that_is_sent(url):
    request = outbound(postback_url=url)
    assert request.headers["webhook-signature"] == signature_of(on_the_wire(request.url).encode())


@pytest.mark.parametrize("method", Method)
def test_both_secrets_sign_during_a_rotation(method):
    request = outbound(method=method, previous_secret=OLD_SECRET, previous_secret_until=TOMORROW)
    payload = request.body or on_the_wire(request.url).encode()
    expected = [signature_of(payload), signature_of(payload, OLD_SECRET)]
    assert request.headers["webhook-signature"].split(" ") == expected


@pytest.mark.parametrize("until", [IN_AN_HOUR, NOON])
def test_old_secret_stops_signing_after_its_time(until):
    request = outbound(previous_secret=OLD_SECRET, previous_secret_until=until)
    assert request.headers["webhook-signature"] == signature_of(on_the_wire(request.url).encode())


@pytest.mark.parametrize("method", Method)
def test_each_request_has_its_sender_id_and_time_in_headers(method):
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
def test_post_without_a_template_has_the_default_fields(content_type, header, read):
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
def test_template_is_filled_in_for_its_content_type(content_type, template, body):
    request = outbound({"sub1": '"\n&='}, method=Method.POST, content_type=content_type, body_template=template)
    read = json.loads(request.body) if content_type is ContentType.JSON else dict(parse_qsl(request.body.decode()))
    assert read == body
    assert request.headers["webhook-signature"] == signature_of(request.body)


def test_get_ignores_a_body_template():
    assert outbound(body_template='{"a": 1}').body is None


TEXTS = [name for name in Notice.model_fields if name != "status"]
EVERY_MACRO = "&".join(f"{name}={{{name}}}" for name in TEXTS)
POSTED = [
    {"method": Method.GET},
    *(
        {"method": Method.POST, "content_type": kind, "body_template": template}
        for kind, template in [
            *((kind, None) for kind in ContentType),
            (ContentType.JSON, json.dumps({name: f"{{{name}}}" for name in TEXTS})),
            (ContentType.FORM, EVERY_MACRO),
        ]
    ),
]


@pytest.mark.parametrize("partner", POSTED)
@pytest.mark.parametrize(
    "value", ["\r\nx-evil: 1\r\n\r\nGET / HTTP/1.1", "\n", "\u0085\u2028", "\x00", "\u560a\u560d", "%0d%0a"]
)
def test_value_never_changes_a_header_or_the_host(partner, value):
    url = f"https://p.example/{{sub1}}?{EVERY_MACRO}"
    plain = outbound(postback_url=url, **partner)
    nasty = outbound(dict.fromkeys(TEXTS, value), postback_url=url, **partner)
    unsigned = [{**one.headers, "webhook-signature": ""} for one in (plain, nasty)]
    assert unsigned[0] == unsigned[1]
    assert all(text.isascii() and text.isprintable() for text in (*nasty.headers.values(), nasty.url))
    assert urlsplit(nasty.url).netloc == "p.example"


@pytest.mark.parametrize("partner", POSTED[1:3])
def test_lone_surrogate_in_a_value_is_a_composition_error(partner):
    with pytest.raises(CompositionError, match="a macro's value is not valid Unicode"):
        outbound({"transaction_id": "\ud800"}, **partner)


def test_missing_number_makes_a_json_body_invalid():
    template = '{"money": {payout}}'
    assert outbound({"payout": "2"}, method=Method.POST, body_template=template).body == b'{"money": 2}'
    with pytest.raises(CompositionError, match="the body is not JSON once its macros are filled in"):
        outbound({"payout": ""}, method=Method.POST, body_template=template)


def test_url_may_be_8_kib_long_and_no_longer():
    full = outbound({"sub1": "x" * (MAX_URL_BYTES - 20)}, postback_url="https://p.example/?a{sub1}")
    assert len(full.url) == MAX_URL_BYTES
    with pytest.raises(CompositionError, match="the URL is over 8 KiB once its macros are filled in"):
        outbound({"sub1": "x" * (MAX_URL_BYTES - 19)}, postback_url="https://p.example/?a{sub1}")


def test_longest_values_exceed_the_url_limit():
    with pytest.raises(CompositionError, match="the URL is over 8 KiB"):
        outbound({"sub1": "\U0001f600" * 128}, postback_url="https://p.example/?" + "{sub1}" * 300)


@pytest.mark.parametrize(("content_type", "template"), [(ContentType.JSON, '"{sub1}"'), (ContentType.FORM, "a={sub1}")])
def test_body_may_be_64_kib_long_and_no_longer(content_type, template):
    posted = {"method": Method.POST, "content_type": content_type, "body_template": template}
    assert len(outbound({"sub1": "x" * (MAX_POST_BYTES - 2)}, **posted).body) == MAX_POST_BYTES
    with pytest.raises(CompositionError, match="the body is over 64 KiB once its macros are filled in"):
        outbound({"sub1": "x" * (MAX_POST_BYTES - 1)}, **posted)


@pytest.mark.parametrize(
    "url", ["", "https://", "https://[::1/?token=s3cret", "/cb?token=s3cret", "https://*.p/?s3cret"]
)
def test_invalid_url_is_refused_without_showing_it(url):
    with pytest.raises(CompositionError, match="the URL is invalid once its macros are filled in") as refused:
        outbound(postback_url=url)
    assert "s3cret" not in str(refused.value)
