"""Entities in Python, in tables and in JSON."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from ricochet.clicks.user import User
from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.transitions import waiting
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.intake.raw_postback import receipt_of
from ricochet.ledger.conversion import day_shards
from ricochet.values.change import Change
from ricochet.values.entity import Entity, Masked, Secret, Shown, Unaudited, View
from ricochet.values.masking import MASK
from tests.unit.builders import (
    NOON,
    InMemoryLedger,
    RecordedAudit,
    a_click,
    a_conversion,
    a_delivery,
    a_partner,
    a_postback,
    a_product,
    a_report,
    an_attempt,
)

ENTITIES = [
    a_product(referral_rate="0.25", postback_auth={"mode": "ip", "allowedCidrs": ["192.0.2.0/24"]}),
    a_partner(status_words={"approved": "1"}, filters={"offerIds": ["a"]}, body_template="{}"),
    a_click(outcome=InMemoryLedger().report(a_report()).click.outcome, closed=True, visits=3),
    a_conversion(payout="7.5", sub1="one", versions=(a_conversion(changed_by="partner:part_1").as_past,)),
    InMemoryLedger().report(a_report()).new_earning,
    waiting(a_delivery(attempts=(an_attempt(500, reply="no"), an_attempt(None, error="late"))), 5000, NOON),
    receipt_of(
        a_postback(query="a=1", body=b"\x00\xff", headers={"user-agent": "x"}),
        "held",
        trusted=True,
        secret_fields=frozenset(),
    ),
    a_postback(body=b"\xff"),
    User(user_id="user_1", referral_code="CODE"),
]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: type(entity).__name__)
def test_an_entity_is_unchanged_after_a_round_trip_through_its_table(entity):
    assert type(entity).from_item(from_wire(to_wire(entity.to_item()))) == entity


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: type(entity).__name__)
def test_a_stored_item_has_camel_case_names_and_no_empty_values(entity):
    assert all("_" not in name and value is not None for name, value in entity.to_item().items())


def test_a_conversion_is_stored_with_its_partition_of_the_day():
    conversions = [
        a_conversion(conversion_id=f"CONV-{number}", updated_at="2026-03-02T00:00:00.000Z") for number in range(99)
    ]
    assert {conversion.to_item()["dayShard"] for conversion in conversions} == set(day_shards("2026-03-02"))


def test_an_entity_cannot_be_changed_only_copied():
    user = User(user_id="user_1")
    with pytest.raises(ValidationError):
        user.user_id = "user_2"
    assert user.with_changes(user_id="user_2") == User(user_id="user_2")
    assert user.user_id == "user_1"


def test_json_has_numbers_where_items_have_decimals():
    conversion = a_conversion(amount="2.50")
    assert (conversion.to_item()["amount"], conversion.to_json()["amount"]) == (Decimal("2.5"), 2.5)


class Terms(Entity):
    rate: Shown[int] = 1
    new: str = "hidden"


class Tariff(Entity):
    name: Shown[str]
    note: Masked[str] = "masked"
    past: Unaudited[str] = "unaudited"
    key: Secret[str] = "secret"
    terms: Shown[tuple[Terms, ...]] = (Terms(),)
    new: str = "hidden"


class TariffView(Tariff):
    also_new: str = "hidden"


def test_only_marked_attributes_are_shown():
    shown = {"name": "a", "note": "masked", "past": "unaudited", "terms": [{"rate": 1}]}
    assert Tariff(name="a").to_json() == TariffView(name="a").to_json() == shown


def test_a_new_attribute_is_in_no_audit_line():
    audit, before = RecordedAudit(), Tariff(name="a")
    after = Tariff(name="b", note="x", past="x", key="x", terms=(Terms(rate=2, new="x"),), new="x")
    audit.record_change("tariff.updated", "a", Change(before, after))
    audit.record_change("tariff.updated", "a", Change(before, before.with_changes(new="x", past="x")))
    (line,) = audit.lines
    assert line["before"] == {"name": "a", "note": MASK, "key": MASK, "terms": [{"rate": 1}]}
    assert line["after"] == {"name": "b", "note": MASK, "key": MASK, "terms": [{"rate": 2}]}


def test_a_view_shows_its_own_fields_and_null_where_it_has_no_default():
    class Price(View):
        tariff: Tariff
        ends_at: str | None
        note: str | None = None

    shown = Price(tariff=Tariff(name="a"), ends_at=None).to_json()
    assert (shown["endsAt"], "note" in shown, "new" in shown["tariff"]) == (None, False, False)


def test_attributes_stored_by_a_newer_release_are_ignored():
    assert User.from_item({"userId": "u", "favouriteColour": "blue"}) == User(user_id="u")


def test_the_log_line_of_a_delivery_contains_ids_and_no_data():
    line = a_delivery(
        attempts=(an_attempt(503, error="busy", reply="private"),), url="https://p.example/?x=1"
    ).log_fields()
    assert (line["delivery_id"], line["conversion_id"]) == (a_delivery().delivery_id, "CONV-1")
    assert (line["partner_id"], line["state"], line["status_code"]) == ("part_1", DeliveryState.RETRYING, 503)
    assert (line["attempt"], line["reason"], line["ms"]) == (1, "busy", 12)
    assert "private" not in str(line)
    assert "https" not in str(line)
