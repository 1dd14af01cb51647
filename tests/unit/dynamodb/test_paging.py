"""Page sizes, and cursors that are valid only for their own listing."""

import base64
import json

import pytest
from botocore.exceptions import ClientError
from pydantic import Field

from ricochet.dynamodb.paging import Page, checked_key, decode_cursor, encode_cursor, parse_limit, starting_at
from ricochet.errors import InvalidCursorError, InvalidLimitError
from ricochet.values.entity import PageView

KEY = {"userId": "user_1", "earningId": "EARN-1"}
SCOPE = "earnings:user_1"


def packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_cursor_decodes_to_its_key():
    cursor = encode_cursor(SCOPE, KEY)
    assert decode_cursor(SCOPE, cursor) == KEY
    assert cursor.isascii()
    assert set("+/= ").isdisjoint(cursor)


def test_without_a_cursor_the_first_page_is_read():
    assert decode_cursor(SCOPE, None) is None


@pytest.mark.parametrize("scope", ["earnings:user_2", "earnings:", "productId:active", ""])
def test_a_cursor_is_valid_only_in_its_own_scope(scope):
    with pytest.raises(InvalidCursorError):
        decode_cursor(scope, encode_cursor(SCOPE, KEY))


@pytest.mark.parametrize(
    "tampered", [KEY | {"userId": "user_2"}, KEY | {"more": "1"}, {"userId": "user_1"}, {}, [KEY], None]
)
def test_a_cursor_with_a_changed_key_is_refused(tampered):
    _, seal = json.loads(base64.urlsafe_b64decode(encode_cursor(SCOPE, KEY) + "=="))
    with pytest.raises(InvalidCursorError):
        decode_cursor(SCOPE, packed([tampered, seal]))


@pytest.mark.parametrize(
    "garbage",
    [
        *(
            "",
            "x",
            "abc",
            "====",
            "\u00e9",
            "{}",
            "%00",
            packed(None),
            packed(5),
            packed([]),
            packed([KEY]),
            packed("text"),
        ),
        *(packed([KEY, "", ""]), packed([KEY, None]), packed(KEY), packed([KEY, {}]), packed([[], "seal"])),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b"[" * 7000).decode(),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_garbage_is_refused_as_a_cursor(garbage):
    with pytest.raises(InvalidCursorError):
        decode_cursor(SCOPE, garbage)


def test_a_key_consists_of_texts_under_known_names():
    assert checked_key(KEY) == checked_key(KEY, ("earningId", "userId")) == KEY


@pytest.mark.parametrize(
    "key",
    [[], "text", None, KEY | {"userId": 1}, KEY | {"userId": None}, KEY | {"more": "1"}, {"userId": "user_1"}, {}],
)
def test_a_key_of_another_shape_is_refused(key):
    with pytest.raises(InvalidCursorError):
        checked_key(key, KEY.keys())


@pytest.mark.parametrize(
    ("key", "code", "raised"),
    [
        (KEY, "ValidationException", InvalidCursorError),
        (KEY, "SerializationException", InvalidCursorError),
        (KEY, "ProvisionedThroughputExceededException", ClientError),
        (None, "ValidationException", ClientError),
    ],
)
def test_a_key_refused_by_dynamodb_is_an_invalid_cursor_and_other_errors_pass_through(key, code, raised):
    with pytest.raises(raised), starting_at(key):
        raise ClientError({"Error": {"Code": code}}, "Query")


@pytest.mark.parametrize(("text", "limit"), [(None, 20), ("1", 1), ("100", 100)])
def test_a_limit_is_a_number_from_1_to_100(text, limit):
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    "text", ["", "0", "101", "-1", "+5", "1.0", "1e1", " 5", "ten", "\u0665", "\u00b2", "9" * 5000]
)
def test_any_other_limit_is_refused(text):
    with pytest.raises(InvalidLimitError):
        parse_limit(text)


@pytest.mark.parametrize("text", ["0000000011000", "000000001" + "9" * 5000], ids=["13 digits", "5009 digits"])
def test_leading_zeros_do_not_hide_a_limit_that_is_too_high(text):
    with pytest.raises(InvalidLimitError):
        parse_limit(text)


class Numbers(PageView[str]):
    pass


class NamedNumbers(PageView[str]):
    items: tuple[str, ...] = Field(alias="numbers")


def test_a_page_has_its_items_and_the_next_cursor():
    assert Page([1, 2], "next").shown_as(Numbers, str).to_json() == {"items": ["1", "2"], "nextCursor": "next"}
    assert Page([], None).shown_as(NamedNumbers).to_json() == {"numbers": [], "nextCursor": None}
