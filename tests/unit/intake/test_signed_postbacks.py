"""Products whose advertisers sign postbacks: which signatures are valid, and for how long."""

import base64
import hashlib
import hmac

import pytest
from standardwebhooks import Webhook

from ricochet.clicks.product import PostbackAuth
from ricochet.intake.advertiser_authentication import is_authentic
from ricochet.values import times
from tests.unit.builders import IN_AN_HOUR, SECRET, a_postback, a_product

PRODUCT = a_product(postback_auth=PostbackAuth(mode="signature"), postback_secret=SECRET)
NOW = times.epoch_seconds(IN_AN_HOUR)
BODY = b'{"amount": 2, "sub1": "\xc3\xa9"}'


def headers(payload: bytes, timestamp: int = NOW, message_id: str = "msg_1", secret: str = SECRET) -> dict[str, str]:
    content = f"{message_id}.{timestamp}.".encode() + payload
    digest = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def accepts(signed: dict[str, str], product=PRODUCT, **postback) -> bool:
    return is_authentic(product, "pbt_right", a_postback(**{"body": BODY, "headers": signed} | postback))


@pytest.mark.parametrize("seconds_off", [0, -300, 300, -1, 299])
def test_a_signed_body_is_valid_for_five_minutes(seconds_off):
    assert accepts(headers(BODY, NOW + seconds_off))


def test_a_signature_made_by_the_standard_library_is_accepted():
    signature = Webhook(SECRET).sign("msg_1", times.parse(IN_AN_HOUR), BODY.decode())
    assert signature == headers(BODY)["webhook-signature"]
    assert accepts(headers(BODY) | {"webhook-signature": signature})


@pytest.mark.parametrize("seconds_off", [-301, 301, 86_400, -NOW, 10**15])
def test_a_signature_outside_the_time_window_is_not_valid(seconds_off):
    assert not accepts(headers(BODY, NOW + seconds_off))


def test_a_request_without_a_body_is_signed_over_its_path_and_query():
    query = "click_id=1&amount=2"
    signed = headers(f"/api/v1/earn/postback?{query}".encode())
    assert accepts(signed, method="GET", body=b"", query=query)
    assert not accepts(signed, method="GET", body=b"", query=query + "0")


def test_one_valid_signature_of_several_is_enough():
    signed = headers(BODY)
    assert accepts(signed | {"webhook-signature": f"v1,AAAA v1a,BBBB {signed['webhook-signature']}"})


@pytest.mark.parametrize(
    "changed",
    [
        *({"webhook-id": value} for value in ("msg_2", "")),
        *({"webhook-timestamp": value} for value in (str(NOW + 1), "", "soon", "1e9", "\u00b2", "9" * 30)),
        *({"webhook-signature": value} for value in ("", "v1,", "v1,AAAA", "v1,\u00e9", "garbage")),
        headers(BODY, secret="whsec_AAAA"),
        headers(BODY + b" "),
    ],
    ids=ascii,
)
def test_a_request_with_changed_headers_is_not_accepted(changed):
    assert not accepts(headers(BODY) | changed)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_all_three_headers_are_required(missing):
    assert not accepts({name: value for name, value in headers(BODY).items() if name != missing})


def test_a_body_that_is_not_text_is_not_accepted():
    assert not accepts(headers(b"\xff"), body=b"\xff")


def test_a_product_without_a_secret_accepts_no_signature():
    assert not accepts(headers(BODY), product=PRODUCT.with_changes(postback_secret=None))


def test_an_empty_message_id_is_refused():
    assert not accepts(headers(BODY, message_id=""))
