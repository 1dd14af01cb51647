"""A receipt keeps a postback as it arrived, without its secrets; those of unidentified senders are truncated."""

import json
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from ricochet.intake.raw_postback import UNIDENTIFIED_BYTES_KEPT
from ricochet.intake.raw_postback import receipt_of as receipt_without
from ricochet.ledger.receipt import unidentified_days
from ricochet.values import ids, times
from tests.unit.builders import IN_AN_HOUR, a_postback

SECRETS = frozenset({"token"})
FORM = {"content-type": "application/x-www-form-urlencoded"}


def receipt_of(raw, outcome, *, trusted, **links):
    return receipt_without(raw, outcome, trusted=trusted, secret_fields=SECRETS, **links)


def test_a_receipt_holds_the_request_and_its_outcome():
    raw = a_postback(query="a=1", body=b'{"b": 2}')
    receipt = receipt_of(raw, "credited", trusted=True, source="product:p", click_id="c", earning_id="e")
    assert (receipt.receipt_id, receipt.received_at, receipt.outcome) == ("RCPT-1", IN_AN_HOUR, "credited")
    assert (receipt.method, receipt.path, receipt.source_ip) == ("POST", "/api/v1/earn/postback", "192.0.2.7")
    assert (receipt.query, receipt.body, receipt.body_size) == ("a=1", b'{"b": 2}', 8)
    assert (receipt.source, receipt.click_id, receipt.earning_id, receipt.detail) == ("product:p", "c", "e", None)
    assert times.parse(IN_AN_HOUR).timestamp() + timedelta(days=90).total_seconds() == receipt.ttl


@pytest.mark.parametrize("name", sorted(SECRETS))
@pytest.mark.parametrize("trusted", [True, False])
def test_secrets_are_masked_wherever_they_are(name, trusted):
    for raw in (
        a_postback(query=f"x=1&{name}=s3cret"),
        a_postback(body=json.dumps({name: "s3cret", "x": 1}).encode()),
        a_postback(headers=FORM, body=f"x=1&{name}=s3cret".encode()),
    ):
        receipt = receipt_of(raw, "credited", trusted=trusted)
        assert "s3cret" not in receipt.query
        assert b"s3cret" not in receipt.body
        assert "1" in receipt.query + receipt.body.decode()


def test_a_masked_query_keeps_its_other_values():
    receipt = receipt_of(a_postback(query="a=%C3%A9&token=t&b=&c=1"), "credited", trusted=True)
    assert parse_qsl(receipt.query, keep_blank_values=True) == [
        ("a", "\u00e9"),
        ("token", "***"),
        ("b", ""),
        ("c", "1"),
    ]


@pytest.mark.parametrize("body", [b'{"a" :  1.50}', b"a=1&b=%41", b"\xff\x00", b"{broken", b"[1]"])
def test_a_body_without_secrets_is_kept_byte_for_byte(body):
    assert receipt_of(a_postback(body=body), "invalid_body", trusted=True).body == body


@pytest.mark.parametrize(
    "body",
    [b'{"token": "s3cret"', b'[{"token": "s3cret"}]', b'{"auth": {"token": "s3cret"}}'],
    ids=["cut short", "in a list", "nested"],
)
def test_secrets_are_masked_in_malformed_bodies(body):
    assert b"s3cret" not in receipt_of(a_postback(body=body), "invalid_body", trusted=False).body


def test_requests_of_unidentified_senders_are_truncated():
    raw = a_postback(query="q=" + "a" * 5000, body=b"b" * 300_000)
    receipt = receipt_of(raw, "click_not_found", trusted=False)
    assert (len(receipt.query), len(receipt.body), receipt.body_size) == (
        UNIDENTIFIED_BYTES_KEPT,
        UNIDENTIFIED_BYTES_KEPT,
        300_000,
    )
    assert UNIDENTIFIED_BYTES_KEPT == 2048


def test_receipts_of_unidentified_senders_are_spread_over_daily_shards_that_no_sender_chooses():
    raws = [a_postback(receipt_id=ids.new_receipt_id(IN_AN_HOUR)) for _ in range(200)]
    filed = {receipt_of(raw, "click_not_found", trusted=False).source_day for raw in raws}
    assert filed == set(unidentified_days(IN_AN_HOUR[:10]))
    known = receipt_of(raws[0], "click_expired", trusted=True, source="product:p")
    assert (known.source_day, receipt_of(raws[0], "click_not_found", trusted=False).source) == (
        f"product:p#{IN_AN_HOUR[:10]}",
        None,
    )


def test_requests_of_authenticated_sources_are_kept_whole():
    receipt = receipt_of(
        a_postback(query="q=" + "a" * 5000, body=b'{"a": "' + b"b" * 5000 + b'"}'), "held", trusted=True
    )
    assert (len(receipt.query), len(receipt.body)) == (5002, 5009)


@pytest.mark.parametrize("letter", ["a", "\u00e9", "\u4e2d"])
def test_a_receipt_fits_into_a_dynamodb_item(letter):
    size = 250_000 // len(letter.encode())
    body = f'{{"token": "t", "note": "{letter * size}"}}'.encode()
    assert len(receipt_of(a_postback(body=body), "credited", trusted=True).body) < 390_000


def test_only_harmless_headers_are_kept_and_long_ones_truncated():
    headers = {
        "content-type": "text/plain",
        "user-agent": "u" * 1000,
        "webhook-id": "w",
        "x-postback-token": "s3cret",
        "authorization": "Bearer s3cret",
        "cookie": "s3cret",
    }
    kept = receipt_of(a_postback(headers=headers), "credited", trusted=True).headers
    assert kept == {"content-type": "text/plain", "user-agent": "u" * 256, "webhook-id": "w"}
