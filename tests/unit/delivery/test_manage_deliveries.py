"""Which deliveries operators may list, and how undelivered payouts are summed."""

from itertools import count

import pytest

from ricochet.delivery.deliveries_table import Listing, Position
from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.manage_deliveries import DeliveryQuery, DeliverySummary, ManageDeliveries
from ricochet.dynamodb.paging import encode_cursor
from ricochet.errors import (
    ChangedMeanwhileError,
    DeliveryNotFoundError,
    DeliveryUnderWayError,
    InvalidCursorError,
    InvalidRequestError,
    PartnerArchivedError,
)
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.statuses import Status
from tests.unit.builders import IN_AN_HOUR, TOMORROW, RecordedAudit, a_delivery, a_notice, a_partner, an_attempt

RETRYING, DELIVERED, SUPERSEDED, PARKED = DeliveryState


class World:
    """Rows in memory, and one partner."""

    def __init__(self, *rows, partner=None):
        self.rows, self.partner, self.refuse = list(rows), partner, False
        self.audit = RecordedAudit()
        self.manage = ManageDeliveries(self, self, self.audit, clock=lambda: TOMORROW)

    def get(self, *key):
        if len(key) == 1:
            return self.partner
        return next((row for row in self.rows if (row.conversion_id, row.delivery_key) == key), None)

    def replace(self, row, seen):
        assert seen in self.rows
        self.rows = [row if one is seen else one for one in self.rows]
        return not self.refuse

    def walk(self, listing, after):
        found = sorted((row for row in self.rows if row in listing), key=Position.of, reverse=True)
        return (row for row in found if after is None or Position.of(row) < after)


def a_row(number=1, **changes):
    row = a_delivery(a_notice(**changes.pop("notice", {})), **changes)
    return row.with_changes(conversion_id=f"CONV-{number}")


@pytest.mark.parametrize(
    "query",
    [
        {"conversionId": "CONV-1"},
        {"partnerId": "p"},
        {"partnerId": "p", "state": "delivered", "from": "2026-03-01", "to": "2026-03-02"},
        {"state": "retrying"},
        {"state": "parked", "partnerId": "p", "limit": "5", "cursor": "x", "nonsense": "y"},
        {"state": "parked", "partnerId": ""},
    ],
)
def test_deliveries_are_listed_by_conversion_partner_or_open_state(query):
    assert DeliveryQuery.parse(query)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"state": "delivered"},
        {"state": "superseded"},
        {"state": "Parked"},
        {"from": "2026-03-01"},
        {"conversionId": "CONV-1", "state": "parked"},
        {"conversionId": "CONV-1", "partnerId": "p"},
        {"conversionId": "CONV-1", "to": "2026-03-01"},
        {"partnerId": "p", "from": "soon"},
    ],
)
def test_other_listings_are_refused(query):
    with pytest.raises(InvalidRequestError):
        DeliveryQuery.parse(query)


def test_listing_covers_the_requested_period():
    listing = DeliveryQuery.parse({"partnerId": "p", "from": "2026-03-01T14:00:00+02:00"}).listing("p")
    assert listing == Listing("p", None, since="2026-03-01T12:00:00.000Z")


def test_each_listing_has_its_own_cursor():
    listings = [
        Listing("p"),
        Listing("q"),
        Listing(None, PARKED),
        Listing("p", PARKED),
        Listing("p", RETRYING),
        Listing("p", since="2026"),
        Listing("p", until="2026"),
    ]
    assert len({listing.scope for listing in listings}) == len(listings)


def test_replayed_delivery_keeps_its_id_and_gets_a_new_schedule():
    row = a_row(state=PARKED, attempt_count=11, detail="the partner was archived")
    world = World(row, partner=a_partner())
    again = world.manage.replay("CONV-1", "1", "part_1").after
    assert (again.state, again.delivery_id, again.tries, again.due_at) == (RETRYING, row.delivery_id, 0, TOMORROW)
    assert (again.detail, world.rows) == (None, [again])
    (line,) = world.audit.lines
    assert (line["action"], line["resource"]) == ("delivery.replayed", row.delivery_id)
    assert (line["delivery_id"], line["conversion_id"], line["partner_id"]) == (row.delivery_id, "CONV-1", "part_1")
    assert (line["before"]["state"], line["after"]["state"]) == ("parked", "retrying")


@pytest.mark.parametrize(
    ("row", "partner", "refusal"),
    [
        (a_row(state=RETRYING), a_partner(), DeliveryUnderWayError),
        (a_row(state=PARKED), a_partner(status=Lifecycle.ARCHIVED), PartnerArchivedError),
        (a_row(state=PARKED), None, PartnerArchivedError),
        (a_row(number=2, state=PARKED), a_partner(), DeliveryNotFoundError),
    ],
)
def test_delivery_that_cannot_be_replayed_is_unchanged(row, partner, refusal):
    world = World(row, partner=partner)
    with pytest.raises(refusal):
        world.manage.replay("CONV-1", "1", "part_1")
    assert (world.rows, world.audit.lines) == ([row], [])


def test_concurrent_change_is_refused():
    world = World(a_row(state=PARKED), partner=a_partner())
    world.refuse = True
    with pytest.raises(ChangedMeanwhileError):
        world.manage.replay("CONV-1", "1", "part_1")


@pytest.mark.parametrize("version", ["0", "-1", "+1", "01", "1.0", " 1", "x", "", "\u0661", "1#part_1", "9" * 5000])
def test_version_that_is_not_a_number_is_not_found(version):
    with pytest.raises(DeliveryNotFoundError):
        World(a_row()).manage.get("CONV-1", version, "part_1")


def test_purchases_are_summed_by_partner_and_currency_and_other_events_counted():
    world = World(
        a_row(1, state=RETRYING, notice={"payout": "0.1"}),
        a_row(2, state=PARKED, notice={"payout": "0.2"}).with_changes(created_at="2026-02-01T00:00:00.000Z"),
        a_row(3, state=PARKED, notice={"payout": "9", "status": Status.PENDING}),
        a_row(4, state=PARKED, notice={"payout": "7", "currency": "EUR"}),
        a_row(5, state=PARKED).with_changes(partner_id="part_2"),
        a_row(6, state=DELIVERED, notice={"payout": "100"}),
        a_row(7, state=SUPERSEDED, notice={"payout": "100"}),
    )
    summed = world.manage.undelivered(None, lambda: True).to_json()
    found = [
        (item["partnerId"], item["currency"], str(item["value"]), item["count"], item["retrying"], item["parked"])
        for item in summed["items"]
    ]
    assert found == [
        ("part_1", "EUR", "7", 1, 0, 1),
        ("part_2", "USD", "2.5", 1, 0, 1),
        ("part_1", "USD", "0.3", 3, 1, 2),
    ]
    assert [item["oldest"][:10] for item in summed["items"]] == ["2026-03-01", "2026-03-01", "2026-02-01"]
    assert summed["nextCursor"] is None


@pytest.mark.parametrize("rows_at_once", [1, 2, 3])
def test_sum_continues_where_time_ran_out(rows_at_once):
    states = [RETRYING, RETRYING, RETRYING, PARKED, PARKED]
    world = World(*(a_row(number, state=state) for number, state in enumerate(states)))
    cursor, counted = None, 0
    for _ in range(6):
        ticks = count(1)
        part = world.manage.undelivered(cursor, lambda ticks=ticks: next(ticks) < rows_at_once)
        counted += sum(item["count"] for item in part.to_json()["items"])
        cursor = part.next_cursor
        if cursor is None:
            break
    assert (counted, cursor) == (5, None)


def test_cursor_of_another_listing_is_refused():
    with pytest.raises(InvalidCursorError):
        World().manage.undelivered(encode_cursor(Listing("p").scope, Position("a", "b", "c")._asdict()), lambda: True)


@pytest.mark.parametrize(
    "key",
    [
        {"state": "delivered"},
        {"state": 5},
        {"state": ["parked"]},
        {"created_at": "5"},
        {"state": "parked", "created_at": "5"},
        {"state": "parked", "created_at": 5, "conversion_id": "a", "delivery_key": "b"},
        {"state": "parked", "created_at": "5", "conversion_id": "a", "delivery_key": "b", "more": "c"},
    ],
)
def test_forged_cursor_is_refused(key):
    with pytest.raises(InvalidCursorError):
        World(a_row(1)).manage.undelivered(encode_cursor("undelivered", key), lambda: True)


def test_bookkeeping_fields_are_not_shown_to_operators():
    row = a_row(state=PARKED, attempts=(an_attempt(500),), tries_from=1, lease_until=IN_AN_HOUR)
    assert {"ttl", "partnerShard", "stateShard", "triesFrom", "leaseUntil"}.isdisjoint(row.to_json())
    assert (row.to_json()["attempts"][0]["statusCode"], "attempts" in DeliverySummary.from_entity(row).to_json()) == (
        500,
        False,
    )
