"""Signatures, checked as a receiver would: by the Standard Webhooks specification alone."""

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from ricochet.values import signing
from tests.unit.builders import SECRET

ANOTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def verify(secret: str, headers: dict[str, str], payload: bytes) -> bool:
    key = base64.b64decode(secret.partition("_")[2])
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), payload])
    expected = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split(" ")


def test_the_specifications_example_is_reproduced():
    made = signing.signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("payload", [b"", b'{"a": "\xc3\xa9"}', b"/cb?click=1&status=Purchase", b"a.b.c"])
def test_a_receiver_can_verify_what_we_send(payload):
    headers = signing.headers([SECRET], "dlv_1", 1767225600, payload)
    assert set(headers) == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("dlv_1", "1767225600")
    assert verify(SECRET, headers, payload)


@pytest.mark.parametrize(
    "forged",
    [{"webhook-id": "dlv_2"}, {"webhook-timestamp": "1767225601"}, {"webhook-signature": "v1,AAAA"}],
    ids=lambda forged: next(iter(forged)),
)
def test_a_change_to_signed_content_is_detected(forged):
    headers = signing.headers([SECRET], "dlv_1", 1767225600, b"body")
    assert not verify(SECRET, headers | forged, b"body")
    assert not verify(SECRET, headers, b"body ")
    assert not verify(signing.new_secret(), headers, b"body")


def test_each_secret_makes_a_signature_newest_first():
    headers = signing.headers([ANOTHER, SECRET], "dlv_1", 1767225600, b"body")
    alone = [signing.headers([one], "dlv_1", 1767225600, b"body")["webhook-signature"] for one in (ANOTHER, SECRET)]
    assert headers["webhook-signature"].split(" ") == alone
    assert verify(SECRET, headers, b"body")
    assert verify(ANOTHER, headers, b"body")
    assert not verify(signing.new_secret(), headers, b"body")


@pytest.mark.parametrize("secret", [SECRET, ANOTHER, SECRET.removeprefix("whsec_")])
@pytest.mark.parametrize("payload", [b'{"a": "\xc3\xa9"}', b"/cb?click=1&status=Purchase"])
def test_the_reference_library_accepts_either_of_two_signatures(secret, payload):
    headers = signing.headers([ANOTHER, SECRET], "dlv_1", int(time.time()), payload)
    Webhook(secret).verify(payload, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(payload, headers, json_parse=False)


def test_a_new_secret_is_32_random_bytes():
    secrets = {signing.new_secret() for _ in range(50)}
    assert len(secrets) == 50
    for secret in secrets:
        prefix, _, encoded = secret.partition("_")
        assert (prefix, len(base64.b64decode(encoded, validate=True))) == ("whsec", 32)


@pytest.mark.parametrize("secret", ["whsec_", ""])
def test_an_empty_secret_signs_nothing(secret):
    with pytest.raises(ValueError, match="empty"):
        signing.signature(secret, "dlv_1", 1767225600, b"body")
