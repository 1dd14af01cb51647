"""Reading the fields of a postback: query, JSON or form."""

import base64
import json
from decimal import Decimal

import pytest

from ricochet.errors import BodyTooLargeError, InvalidBodyError
from ricochet.intake.raw_postback import RawPostback, is_missing
from ricochet.values.inputs import MAX_BODY_BYTES, parse_json_object
from tests.unit.builders import CLICK_ID, IN_AN_HOUR, a_postback

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
JSON = {"content-type": "application/json"}


def an_event(**changes):
    return {
        "rawPath": "/api/v1/earn/postback",
        "rawQueryString": f"click_id={CLICK_ID}",
        "headers": {"content-type": "application/json", "user-agent": "advertiser"},
        "requestContext": {"http": {"method": "POST", "sourceIp": "192.0.2.7"}},
        "body": '{"amount": 2}',
        "isBase64Encoded": False,
    } | changes


def test_a_postback_is_read_from_an_api_gateway_event():
    raw = RawPostback.from_event(an_event(), IN_AN_HOUR)
    assert (raw.method, raw.path, raw.source_ip) == ("POST", "/api/v1/earn/postback", "192.0.2.7")
    assert (raw.query, raw.body, raw.received_at) == (f"click_id={CLICK_ID}", b'{"amount": 2}', IN_AN_HOUR)
    assert (raw.header("User-Agent"), raw.header("x-postback-token")) == ("advertiser", None)
    assert raw.receipt_id.startswith("RCPT-")


def test_a_bare_request_has_no_query_headers_or_body():
    event = an_event(rawQueryString="", headers=None, body=None)
    raw = RawPostback.from_event(event, IN_AN_HOUR)
    assert (raw.query, raw.headers, raw.body, raw.fields()) == ("", {}, b"", {})


@pytest.mark.parametrize("body", [b'{"sub1": "\xc3\xa9"}', b"\xff\x00\xfe", b""])
def test_a_base64_body_is_decoded_byte_for_byte(body):
    event = an_event(body=base64.b64encode(body).decode(), isBase64Encoded=True)
    assert RawPostback.from_event(event, IN_AN_HOUR).body == body


@pytest.mark.parametrize(
    ("headers", "body", "fields"),
    [
        (JSON, b'{"amount": 2.50, "n": 7, "sub1": "a"}', {"amount": Decimal("2.50"), "n": 7, "sub1": "a"}),
        (JSON, b'  {"a": {"b": [1]}}\n', {"a": {"b": [1]}}),
        (FORM, b"amount=2.50&sub1=a+b%26c&sub2=%C3%A9", {"amount": "2.50", "sub1": "a b&c", "sub2": "\u00e9"}),
        (FORM, b'{"amount": 2}', {"amount": 2}),
        ({}, b"amount=2&x=1", {"amount": "2", "x": "1"}),
        ({}, b'{"amount": 2, "u": "a=b"}', {"amount": 2, "u": "a=b"}),
        ({"content-type": "text/plain"}, b"amount=2", {"amount": "2"}),
        ({}, b"", {}),
        (JSON, b" \r\n", {}),
        (FORM, b"a=1&a=2", {"a": "2"}),
        (FORM | {"content-type": "APPLICATION/X-WWW-FORM-URLENCODED"}, b"flag&[a]=1", {"[a]": "1"}),
    ],
)
def test_a_body_is_json_or_a_form(headers, body, fields):
    assert a_postback(headers=headers, body=body).fields() == fields


@pytest.mark.parametrize("text", ["0.1", "12345678901234567890.123456789", "1e400", "-3"])
def test_numbers_keep_every_digit(text):
    (value,) = parse_json_object(f'{{"amount": {text}}}').values()
    assert isinstance(value, Decimal)
    assert value == Decimal(text)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_become_texts_that_are_not_amounts(text):
    assert a_postback(body=f'{{"amount": {text}}}'.encode()).fields() == {"amount": text}


@pytest.mark.parametrize(
    "body",
    [
        *(b"a=1", b"[1]", b"null", b"true", b"5", b'"text"', b"{", b'{"a": }', b'{"a": 1} x', b"just words", b"<xml/>"),
        *(b'{"a": "\xff"}', b"\xff\xfe", b'{"a": 1e99999999999999999999}', b'{"a":' + b"[" * 100_000, b"{'a': 1}"),
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_any_other_body_is_refused(body):
    with pytest.raises(InvalidBodyError):
        a_postback(headers=JSON, body=body).fields()


@pytest.mark.parametrize("body", [b"just words", b"[a=b", b"\xff=1"])
def test_a_body_without_a_content_type_must_be_json_or_a_form(body):
    with pytest.raises(InvalidBodyError):
        a_postback(body=body).fields()


def test_a_body_over_256_kib_is_refused():
    padding = b" " * (MAX_BODY_BYTES - len(b'{"a": 1}'))
    assert MAX_BODY_BYTES == 256 * 1024
    assert a_postback(body=b'{"a": 1}' + padding).fields() == {"a": 1}
    with pytest.raises(BodyTooLargeError):
        a_postback(body=b'{"a": 1}' + padding + b" ").fields()


def test_the_body_overrides_the_query_except_for_the_click_id():
    raw = a_postback(
        query=f"click_id={CLICK_ID}&amount=1&sub1=q", body=b'{"click_id": "other", "amount": 2, "sub2": "b"}'
    )
    assert raw.fields() == {"click_id": CLICK_ID, "amount": 2, "sub1": "q", "sub2": "b"}


@pytest.mark.parametrize("query", ["", "click_id=", "amount=1"])
def test_the_click_id_of_the_body_is_used_if_the_query_has_none(query):
    assert a_postback(query=query, body=b'{"click_id": "mine"}').fields()["click_id"] == "mine"


def test_a_click_id_that_was_not_filled_in_counts_as_missing_from_the_query():
    raw = a_postback(query="click_id={click_id}", body=b'{"click_id": "mine"}')
    assert raw.fields() == {"click_id": "mine"}


@pytest.mark.parametrize("nothing", ["null", '""', '"{amount}"'])
def test_a_value_that_is_missing_from_the_body_is_taken_from_the_query(nothing):
    raw = a_postback(query="amount=2", body=f'{{"amount": {nothing}}}'.encode())
    assert raw.fields() == {"amount": "2"}


@pytest.mark.parametrize(
    "value", [None, "", "  ", "{payout}", "[X]", "[%payout%]", "#payout#", "%payout%", " {sub-1} ", "{a.b}"]
)
def test_an_empty_value_or_a_bare_macro_is_missing(value):
    assert is_missing(value)
    assert a_postback(body=json.dumps({"amount": value, "x": 1}).encode()).fields() == {"x": 1}


@pytest.mark.parametrize("value", [0, False, "0", "{}", "{a} b", "x{a}", "#1", "100%", "[a, b]", "{a b}", [], {}])
def test_any_other_value_is_present(value):
    assert not is_missing(value)


@pytest.mark.parametrize("body", [b"", b'{"amount": 2}', bytes(range(256)), b"x" * MAX_BODY_BYTES], ids=len)
def test_a_postback_is_unchanged_after_the_queue(body):
    raw = a_postback(query="a=%C3%A9&b", headers=JSON | {"x-postback-token": "t"}, body=body)
    message = raw.to_message()
    assert RawPostback.from_message(message) == raw
    assert len(message) < 1_048_576
