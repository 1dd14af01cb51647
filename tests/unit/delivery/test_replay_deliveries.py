"""A period's deliveries are replayed: counted first, in parts, and never twice."""

from decimal import Decimal
from itertools import count

import pytest

from ricochet.delivery import replay_deliveries
from ricochet.delivery.deliveries_table import Position
from ricochet.delivery.delivery import DeliveryState, new_delivery
from ricochet.delivery.partners.partner import Filters
from ricochet.delivery.replay_deliveries import ReplayDeliveries, ReplayRequest
from ricochet.errors import InvalidCursorError, InvalidRequestError, PartnerArchivedError, PartnerNotFoundError
from ricochet.ledger.conversion import PastVersion
from ricochet.ledger.conversions_table import day_key
from ricochet.values import times
from ricochet.values.inputs import validate
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.statuses import Status
from tests.unit.builders import IN_AN_HOUR, NOON, TOMORROW, RecordedAudit, a_conversion, a_notice, a_partner

RETRYING, DELIVERED, SUPERSEDED, PARKED = DeliveryState
GAP = {"partnerId": "part_1", "from": NOON, "to": TOMORROW, "state": "missing"}
PARKED_ONES = GAP | {"state": "parked"}


class World:
    """Rows and conversions in memory, and one partner."""

    def __init__(self, *, rows=(), conversions=(), partner=None):
        self.rows = {(row.conversion_id, row.delivery_key): row for row in rows}
        self.conversions = list(conversions)
        self.partner = partner or a_partner()
        self.days, self.lost_races = [], set()
        self.audit = RecordedAudit()
        self.replay = ReplayDeliveries(self, self, self, self.audit, clock=lambda: TOMORROW)

    def __call__(self, given, has_time=lambda: True, **more):
        return self.replay(validate(given | more, ReplayRequest), has_time)

    def get(self, *key):
        if len(key) == 1:
            return self.partner if key == (self.partner.partner_id,) else None
        return self.rows.get(key)

    def of_conversion(self, conversion_id):
        return [row for (conversion, _), row in self.rows.items() if conversion == conversion_id]

    def walk(self, listing, after, *, newest_first):
        assert not newest_first
        found = sorted(self.rows.values(), key=Position.of)
        return (row for row in found if after is None or Position.of(row) > after)

    def replace(self, row, seen):
        if seen.conversion_id in self.lost_races:
            return False
        assert self.rows[seen.conversion_id, seen.delivery_key] is seen
        self.rows[row.conversion_id, row.delivery_key] = row
        return True

    def put_first(self, row):
        if row.conversion_id in self.lost_races:
            return False
        return self.rows.setdefault((row.conversion_id, row.delivery_key), row) is row

    def of_days(self, days, start):
        self.days = list(days)
        found = sorted(self.conversions, key=lambda one: tuple(day_key(one).values()))
        return (one for one in found if start is None or tuple(day_key(one).values()) > tuple(start.values()))


def a_row(number=1, state=PARKED, partner_id="part_1", **notice):
    conversion_id = f"CONV-{number:03d}"
    return new_delivery(conversion_id, 1, partner_id, a_notice(**notice), IN_AN_HOUR, state=state)


def counts(report):
    return (report.matched, report.replayed, dict(report.value))


def test_dry_run_is_the_default_and_changes_nothing():
    world = World(rows=[a_row(1), a_row(2), a_row(3, DELIVERED), a_row(4, partner_id="part_2")])
    before = dict(world.rows)
    assert counts(world(PARKED_ONES)) == (2, 0, {"USD": Decimal(5)})
    assert world.rows == before


def test_replayed_delivery_is_due_at_once_and_not_found_again():
    world = World(rows=[a_row(1), a_row(2), a_row(3, DELIVERED)])
    assert counts(world(PARKED_ONES, dryRun=False)) == (2, 2, {"USD": Decimal(5)})
    assert [(row.state, row.due_at) for row in world.rows.values()] == [
        (RETRYING, TOMORROW),
        (RETRYING, TOMORROW),
        (DELIVERED, None),
    ]
    assert counts(world(PARKED_ONES, dryRun=False)) == (0, 0, {})


@pytest.mark.parametrize("state", [DELIVERED])
def test_delivered_postback_can_be_replayed(state):
    world = World(rows=[a_row(1, state), a_row(2)])
    assert counts(world(GAP, state=state, dryRun=False))[:2] == (1, 1)


def test_row_changed_concurrently_is_not_counted_as_replayed():
    world = World(rows=[a_row(1), a_row(2)])
    world.lost_races.add("CONV-001")
    assert counts(world(PARKED_ONES, dryRun=False))[:2] == (2, 1)


def test_only_purchases_have_a_value():
    notices = [{"status": Status.APPROVED}, {"status": Status.PENDING}, {"status": Status.REVERSED, "currency": "EUR"}]
    report = World(rows=[a_row(number, **one) for number, one in enumerate(notices)])(PARKED_ONES)
    assert (report.matched, report.value) == (3, {"USD": Decimal("2.5")})


@pytest.mark.parametrize("kind", ["parked", "missing"])
def test_call_replays_up_to_the_limit_and_returns_a_cursor(monkeypatch, kind):
    monkeypatch.setattr(replay_deliveries, "MAX_REPLAYED", 2)
    world = World(rows=[a_row(number) for number in range(5)]) if kind == "parked" else World(conversions=several(5))
    given = GAP | {"state": kind, "dryRun": False}
    reports = [world(given)]
    while reports[-1].next_cursor:
        reports.append(world(given, cursor=reports[-1].next_cursor))
    assert [report.replayed for report in reports] == [2, 2, 1]
    assert [report.complete for report in reports] == [False, False, True]
    assert [row.state for row in world.rows.values()] == [RETRYING] * 5


@pytest.mark.parametrize("kind", ["parked", "missing"])
@pytest.mark.parametrize("looks", [1, 3])
def test_next_call_continues_where_time_ran_out(kind, looks):
    world = World(rows=[a_row(number) for number in range(7)]) if kind == "parked" else World(conversions=several(7))
    matched, cursor, calls = 0, None, 0
    while calls == 0 or cursor:
        ticks = count(1)
        report = world(GAP | {"state": kind}, lambda ticks=ticks: next(ticks) < looks, cursor=cursor)
        matched, cursor, calls = matched + report.matched, report.next_cursor, calls + 1
    assert matched == 7
    assert calls == 7 // looks + 1


def test_cursor_belongs_to_one_replay():
    world = World(rows=[a_row(1), a_row(2)])
    cursor = world(PARKED_ONES, lambda: False).next_cursor
    for other in ({"state": "delivered"}, {"state": "missing"}, {"to": IN_AN_HOUR}, {"from": IN_AN_HOUR}):
        with pytest.raises(InvalidCursorError):
            world(PARKED_ONES | other, cursor=cursor)


def several(number):
    return [
        a_conversion(conversion_id=f"CONV-{one:03d}", updated_at=times.plus(IN_AN_HOUR, seconds=one % 3))
        for one in range(number)
    ]


def test_missing_delivery_is_recorded_and_due():
    world = World(conversions=[a_conversion()])
    assert counts(world(GAP)) == (1, 0, {"USD": Decimal(5)})
    assert world.rows == {}
    assert counts(world(GAP, dryRun=False)) == (1, 1, {"USD": Decimal(5)})
    (row,) = world.rows.values()
    assert (row.state, row.due_at, row.attempt_count, row.notice.payout) == (RETRYING, TOMORROW, 0, "5")
    assert counts(world(GAP, dryRun=False))[:2] == (0, 0)


def test_delivery_recorded_concurrently_is_not_replayed_twice():
    world = World(conversions=[a_conversion()])
    world.lost_races.add("CONV-1")
    assert counts(world(GAP, dryRun=False))[:2] == (1, 0)


def test_each_version_of_the_period_is_delivered_as_it_was():
    lead = PastVersion(version=1, status=Status.PENDING, source_status="Lead", amount=3, at=IN_AN_HOUR)
    moved = {"version": 2, "versions": (lead,), "version_at": times.plus(IN_AN_HOUR, hours=1), "amount": 5}
    world = World(conversions=[a_conversion(**moved, updated_at=TOMORROW)])
    assert world(GAP, dryRun=False).replayed == 2
    delivered = [
        (row.version, row.notice.status, row.notice.payout, row.notice.timestamp) for row in world.rows.values()
    ]
    assert delivered == [
        (1, Status.PENDING, "3", IN_AN_HOUR),
        (2, Status.APPROVED, "5", moved["version_at"]),
    ]
    assert World(conversions=world.conversions)(GAP, to=IN_AN_HOUR).matched == 1
    assert World(conversions=world.conversions)(GAP, **{"from": times.plus(IN_AN_HOUR, seconds=1)}).matched == 1


@pytest.mark.parametrize(
    ("conversion", "partner"),
    [
        ({"changed_by": "partner:part_1"}, {}),
        ({"status": Status.REVERSED}, {}),  # its sale was never reported
        ({"status": Status.REVERSED, "is_tombstone": True}, {}),
        ({}, {"events": ("Lead",)}),
        ({}, {"filters": Filters(product_ids=("other",))}),
        ({"created_at": times.plus(NOON, seconds=-1)}, {}),
        ({"created_at": times.plus(TOMORROW, seconds=1)}, {}),
    ],
)
def test_version_the_partner_is_not_subscribed_to_is_not_missing(conversion, partner):
    world = World(conversions=[a_conversion(**conversion)], partner=a_partner(**partner))
    assert world(GAP).matched == 0


def test_reversal_of_a_reported_sale_is_missing_like_any_version():
    sale = PastVersion(version=1, status=Status.APPROVED, source_status="Purchase", amount=5, at=IN_AN_HOUR)
    reversed_sale = a_conversion(status=Status.REVERSED, version=2, versions=(sale,), version_at=IN_AN_HOUR)
    assert World(conversions=[reversed_sale])(GAP).matched == 2


def test_changes_are_searched_until_today():
    world = World()
    world(GAP, **{"from": "2026-02-27T23:59:59Z", "to": "2026-02-28T00:00:00Z"})
    assert world.days == ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]


@pytest.mark.parametrize("days", [90, 91, 4000])
def test_period_before_the_retention_is_refused(days):
    long_ago = times.plus(TOMORROW, days=-days)
    world = World()
    if days == 90:
        assert world(GAP, **{"from": long_ago}).matched == 0
    else:
        with pytest.raises(InvalidRequestError, match="90 days"):
            world(GAP, **{"from": long_ago})
    assert world(PARKED_ONES, **{"from": long_ago}).matched == 0


def test_replay_to_an_unknown_or_archived_partner_is_refused():
    with pytest.raises(PartnerNotFoundError):
        World()(GAP, partnerId="nobody")
    with pytest.raises(PartnerArchivedError):
        World(partner=a_partner(status=Lifecycle.ARCHIVED))(GAP)
    assert World(partner=a_partner(status=Lifecycle.PAUSED))(GAP).matched == 0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        *(({name: None}, name) for name in ("partnerId", "from", "to", "state")),
        ({"state": "retrying"}, "state"),
        ({"from": 5}, "from"),
        ({"to": "later"}, "to"),
        ({"dryRun": "perhaps"}, "dryRun"),
        ({"from": TOMORROW, "to": NOON}, "body"),
    ],
)
def test_incomplete_request_is_refused_with_the_field(change, named):
    with pytest.raises(InvalidRequestError) as refused:
        World()(GAP | change)
    assert refused.value.details[0].startswith(named)


@pytest.fixture
def no_time(monkeypatch):
    monkeypatch.setattr(replay_deliveries, "SECONDS_BETWEEN_PROGRESS", -1.0)


@pytest.mark.usefixtures("no_time")
@pytest.mark.parametrize("dry_run", [True, False])
def test_everything_is_replayed_in_as_many_calls_as_it_takes_and_adds_up(dry_run):
    world, found = World(rows=[a_row(1), a_row(2, currency="EUR"), a_row(3), a_row(4, DELIVERED)]), []
    report = world.replay.everything(validate(PARKED_ONES | {"dryRun": dry_run}, ReplayRequest), found.append)
    assert (report.matched, report.replayed, report.complete) == (3, 0 if dry_run else 3, True)
    assert (report.value, sum(found), len(found) > 1) == ({"USD": 5, "EUR": Decimal("2.5")}, 3, True)
    assert [line["result"] for line in world.audit.lines] == ([] if dry_run else [report.to_json()])


@pytest.mark.usefixtures("no_time")
def test_interrupted_replay_is_audited():
    world = World(rows=[a_row(1), a_row(2)])

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.replay.everything(validate(PARKED_ONES | {"dryRun": False}, ReplayRequest), interrupt)
    (line,) = world.audit.lines
    assert (line["action"], line["resource"]) == ("deliveries.replayed", "part_1")
    assert (line["result"]["matched"], line["result"]["replayed"], line["result"]["complete"]) == (1, 1, False)
