"""Identifiers: random if they must not be guessed, derived if a repeat must produce the same id."""

import hashlib
import json
import re
import uuid

import pytest

from ricochet.errors import InvalidClickIdError
from ricochet.values import ids, times
from tests.unit.builders import CLICK_ID, NOON, a_report

BARE = CLICK_ID.replace("-", "")


def test_a_click_id_is_a_random_uuid():
    made = {ids.new_click_id() for _ in range(100)}
    assert len(made) == 100
    assert all(uuid.UUID(click_id).version == 4 and ids.parse_click_id(click_id) == click_id for click_id in made)


@pytest.mark.parametrize("text", [CLICK_ID, CLICK_ID.upper(), BARE, BARE.upper(), f"  {CLICK_ID}\n"])
def test_a_click_id_is_read_with_and_without_dashes(text):
    assert ids.parse_click_id(text) == CLICK_ID


@pytest.mark.parametrize("text", ["", "x", BARE[:-1], BARE + "0", "g" * 32, "{" + BARE + "}", CLICK_ID + "0", "-" * 36])
def test_only_a_uuid_is_a_click_id(text):
    with pytest.raises(InvalidClickIdError):
        ids.parse_click_id(text)


@pytest.mark.parametrize(
    "text",
    ["urn:" + BARE, "1_" + BARE[2:], "0x" + BARE[2:], "+" + BARE[1:], "\u0661" * 32],
    ids=["urn", "underscore", "prefix", "sign", "arabic digits"],
)
def test_only_hex_digits_and_dashes_make_a_click_id(text):
    with pytest.raises(InvalidClickIdError):
        ids.parse_click_id(text)


def test_a_digest_is_sha_256_over_all_parts():
    assert ids.digest("a", 1) == hashlib.sha256(json.dumps(["a", "1"]).encode()).hexdigest().upper()


@pytest.mark.parametrize("others", [("ab", "c"), ("a", "b", "c"), ("abc",), ("bc", "a"), ("a", "bc", "")])
def test_a_digest_depends_on_the_boundaries_between_parts(others):
    assert ids.digest("a", "bc") != ids.digest(*others)


def test_the_same_event_of_the_same_source_is_the_same_conversion():
    key = ("transaction", "T-1", "")
    assert re.fullmatch(r"CONV-[0-9A-F]{24}", ids.conversion_id("product:p", key))
    assert ids.conversion_id("product:p", key) == ids.conversion_id("product:p", key)
    assert ids.conversion_id("product:p", key) != ids.conversion_id("product:q", key)
    assert ids.conversion_id("product:p", key) != ids.conversion_id("product:p", ("conversion", "T-1", ""))


@pytest.mark.parametrize(
    ("made", "once"),
    [
        (a_report().conversion_id, "CONV-6BBFEAEC00EA04494A5E7B7B"),
        (a_report(event="level 2").conversion_id, "CONV-6773F86BF262C542FEF94884"),
        (a_report(transaction_id=None, source_conversion_id="C-1").conversion_id, "CONV-B506A7E1C933643DE76EB152"),
        (a_report(transaction_id=None).conversion_id, "CONV-CBBBE9FDB3B73715DA4C0602"),
        (ids.delivery_id("CONV-1", 1, "part_1"), "dlv_a378eee38313273356862d3f"),
        (ids.earning_id(NOON, "CONV-1", 1), "EARN-019CA9450A00-54C872D3D6DC43FF"),
        (ids.referral_code("user_1"), "VABAMRTYRCSM"),
    ],
)
def test_derived_ids_are_the_same_as_in_earlier_releases(made, once):
    assert made == once


def test_earning_ids_sort_by_time_and_repeat_for_the_same_credit():
    moments = [times.plus(NOON, seconds=step * 977) for step in range(50)]
    made = [ids.earning_id(moment, "CONV-1", 1) for moment in moments]
    assert made == sorted(made)
    assert ids.earning_id(NOON, "CONV-1", 1) == made[0]
    assert len({ids.earning_id(NOON, "CONV-1", 2), ids.earning_id(NOON, "CONV-1", 1, "referral"), made[0]}) == 3


def test_receipt_ids_sort_by_time_and_never_repeat():
    early, late = ids.new_receipt_id(NOON), ids.new_receipt_id(times.plus(NOON, milliseconds=1))
    assert early < late
    assert re.fullmatch(r"RCPT-019CA9450A00-[0-9A-F]{16}", early)
    assert ids.new_receipt_id(NOON) != early


def test_a_delivery_keeps_its_id_over_all_attempts():
    assert re.fullmatch(r"dlv_[0-9a-f]{24}", ids.delivery_id("CONV-1", 1, "part_1"))
    assert ids.delivery_id("CONV-1", 1, "part_1") == ids.delivery_id("CONV-1", 1, "part_1")
    others = {ids.delivery_id("CONV-1", 2, "part_1"), ids.delivery_id("CONV-1", 1, "part_2")}
    assert ids.delivery_id("CONV-1", 1, "part_1") not in others


def test_new_ids_and_tokens_are_unguessable_and_safe_in_urls():
    made = {ids.new_id("prod") for _ in range(200)} | {ids.new_token("pbt") for _ in range(200)}
    assert len(made) == 400
    assert all(re.fullmatch(r"prod_[0-9a-z]{12}|pbt_[A-Za-z0-9_-]{32}", text) for text in made)


def test_a_referral_code_is_stable_and_can_be_read_out():
    codes = {user: ids.referral_code(user) for user in map(str, range(300))}
    assert len(set(codes.values())) == 300
    assert codes == {user: ids.referral_code(user) for user in codes}
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{12}", code) for code in codes.values())
