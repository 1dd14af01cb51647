"""The sweep finds missing deliveries, and nothing else."""

import itertools

import pytest

from ricochet.delivery.delivery import DeliveryState, new_delivery
from ricochet.delivery.reconcile_deliveries import LAST_DAYS, ReconcileDeliveries
from ricochet.errors import QueueRefusedError
from ricochet.ledger.conversion import PastVersion
from ricochet.ledger.notice import versions_of
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.statuses import Status
from tests.unit.builders import IN_AN_HOUR, NOON, TOMORROW, a_conversion, a_delivery, a_notice, a_partner

LEAD_THEN_PURCHASE = a_conversion(
    version=2,
    versions=(
        PastVersion(version=1, status=Status.PENDING, source_status="lead", amount=3, at="2026-03-01T12:30:00.000Z"),
    ),
    created_at="2026-03-01T12:30:00.000Z",
    version_at=IN_AN_HOUR,
)
AN_HOUR_AGO = times.plus(TOMORROW, hours=-1)
LONG_AGO = times.plus(TOMORROW, hours=-3)


class World:
    def __init__(self, *conversions, partners=None, rows=(), swept=None):
        self.conversions = conversions
        self.partners = partners or [a_partner().with_active_periods(NOON)]
        self.rows = {(row.conversion_id, row.delivery_key): row for row in rows}
        self.swept, self.parked, self.refuses = swept, [], False

    def sweep(self, has_time=lambda: True, **period):
        reconcile = ReconcileDeliveries(self, self, self, self, self, clock=lambda: TOMORROW)
        return reconcile(has_time, **period)

    def all(self):
        return self.partners

    def changed(self, shard, since, until):
        return (row for row in self.conversions if row.day_shard == shard and since <= row.updated_at < until)

    def of_conversion(self, conversion_id):
        return [row for (conversion, _), row in self.rows.items() if conversion == conversion_id]

    def in_state(self, shard):
        return (row for row in list(self.rows.values()) if row.state_shard == shard)

    def put_first(self, row):
        return self.rows.setdefault((row.conversion_id, row.delivery_key), row) is row

    def replace(self, row, seen):
        assert self.rows[row.conversion_id, row.delivery_key] == seen
        self.rows[row.conversion_id, row.delivery_key] = row
        return True

    def swept_until(self):
        return self.swept

    def advance(self, until):
        self.swept = max(self.swept or "", until)

    def send(self, rows, moment):
        if rows and self.refuses:
            raise QueueRefusedError("the queue refused messages")
        self.parked += rows


def recorded(version=1, partner_id="part_1", **state):
    return new_delivery("CONV-1", version, partner_id, a_notice(), IN_AN_HOUR, **state)


def test_missing_delivery_is_made_due():
    world = World(LEAD_THEN_PURCHASE, rows=[recorded(1, state=DeliveryState.DELIVERED)])
    result = world.sweep()
    (row,) = result.missing
    assert (row.version, row.partner_id, row.state, row.due_at) == (2, "part_1", DeliveryState.RETRYING, TOMORROW)
    assert (row.notice.status, row.notice.payout, row.attempt_count) == (Status.APPROVED, "5", 0)
    assert (result.gaps, result.conversions, result.is_complete) == (1, 1, True)


def test_missing_earlier_version_is_delivered_as_it_was():
    world = World(LEAD_THEN_PURCHASE, rows=[recorded(2, state=DeliveryState.DELIVERED)])
    (row,) = world.sweep().missing
    assert (row.version, row.notice.status, row.notice.original_status) == (1, Status.PENDING, "lead")
    assert (row.notice.payout, row.notice.timestamp) == ("3", "2026-03-01T12:30:00.000Z")


@pytest.mark.parametrize("state", DeliveryState)
def test_recorded_delivery_is_not_a_gap(state):
    world = World(a_conversion(), rows=[recorded(1, state=state, due_at=TOMORROW)])
    assert (world.sweep().gaps, len(world.rows)) == (0, 1)


def test_second_sweep_finds_nothing():
    world = World(LEAD_THEN_PURCHASE)
    assert world.sweep().gaps == 2
    assert world.sweep(since=NOON, until=TOMORROW).gaps == 0


def test_partner_should_receive_what_it_was_subscribed_to_while_active():
    late = a_partner(partner_id="late").with_active_periods(TOMORROW)
    leads = a_partner(partner_id="leads", events=("Lead",)).with_active_periods(NOON)
    paused = a_partner(partner_id="paused").with_active_periods(NOON).paused("no success", AN_HOUR_AGO)
    archived = a_partner(partner_id="archived", status=Lifecycle.ARCHIVED).with_active_periods(NOON)
    world = World(LEAD_THEN_PURCHASE, partners=[late, leads, paused, archived])
    found = sorted((row.partner_id, row.version) for row in world.sweep().missing)
    assert found == [("leads", 1), ("paused", 1), ("paused", 2)]


def test_partners_own_change_is_not_missing():
    assert World(a_conversion(changed_by="partner:part_1")).sweep().gaps == 0


@pytest.mark.parametrize(
    "conversion",
    [a_conversion(is_tombstone=True, status=Status.REVERSED), a_conversion(status=Status.REVERSED)],
    ids=["a tombstone", "a sale that came after it"],
)
def test_reversal_of_an_unreported_sale_is_not_missing(conversion):
    assert World(conversion).sweep().gaps == 0
    assert versions_of(a_conversion(status=Status.REVERSED)) == []


def test_recent_changes_are_not_swept_yet():
    fresh = a_conversion(updated_at=times.plus(TOMORROW, minutes=-20), created_at=times.plus(TOMORROW, minutes=-20))
    assert World(fresh).sweep().gaps == 0
    assert World(fresh).sweep(since=NOON, until=TOMORROW).gaps == 1


def test_sweep_starts_an_hour_before_the_end_of_the_last_one():
    world = World(a_conversion(), swept=times.plus(IN_AN_HOUR, minutes=59))
    assert world.sweep().gaps == 1
    assert world.swept == times.plus(TOMORROW, minutes=-30)
    assert World(a_conversion(), swept=times.plus(IN_AN_HOUR, minutes=61)).sweep().gaps == 0


def test_sweep_without_time_left_continues_where_it_stopped():
    world, turns = World(a_conversion(), swept=IN_AN_HOUR), itertools.chain([True], itertools.repeat(False))
    result = world.sweep(has_time=lambda: next(turns))
    assert (result.is_complete, result.until, world.swept) == (False, times.plus(NOON, minutes=5), IN_AN_HOUR)


def test_sweep_of_an_operators_period_does_not_move_the_progress():
    world = World(a_conversion(), swept=NOON)
    world.sweep(since=NOON, until=TOMORROW)
    assert world.swept == NOON


def test_delivery_whose_message_was_lost_is_made_due():
    lost = a_delivery(next_attempt_at=LONG_AGO)
    dead = a_delivery(next_attempt_at=NOON, lease_until=LONG_AGO)
    for row in (lost, dead):
        world = World(rows=[row])
        assert [found.delivery_id for found in world.sweep().stranded] == [row.delivery_id]
        assert world.rows[row.conversion_id, row.delivery_key].due_at == TOMORROW


@pytest.mark.parametrize(
    "row",
    [
        a_delivery(next_attempt_at=times.plus(TOMORROW, minutes=-10)),
        a_delivery(next_attempt_at=NOON, lease_until=TOMORROW),
        a_delivery(next_attempt_at=NOON, due_at=NOON),
        a_delivery(state=DeliveryState.PARKED),
    ],
    ids=["a message is on its way", "an attempt is under way", "it waits to be released", "parked"],
)
def test_delivery_that_is_being_processed_is_left_alone(row):
    assert World(rows=[row]).sweep().gaps == 0


def test_delivery_that_waits_for_months_is_parked_before_it_expires():
    about_to_expire = times.epoch_seconds(times.plus(TOMORROW, days=LAST_DAYS - 1))
    world = World(rows=[a_delivery(due_at=NOON).with_changes(ttl=about_to_expire)])
    result = world.sweep()
    assert [row.state for row in result.given_up] == [row.state for row in world.parked] == [DeliveryState.PARKED]
    assert next(iter(world.rows.values())).detail == "it waited until its row was about to expire"


def forgotten(number):
    """Return rows that are about to expire."""
    ttl = times.epoch_seconds(times.plus(TOMORROW, days=LAST_DAYS - 1))
    return [recorded(1, f"part_{n}", due_at=NOON).with_changes(ttl=ttl) for n in range(number)]


def parked_in(world):
    return {row.delivery_id for row in world.rows.values() if row.state is DeliveryState.PARKED}


def test_parked_delivery_has_its_message_and_is_reported_when_time_runs_out():
    world = World(rows=forgotten(95), swept=times.plus(TOMORROW, minutes=30))  # nothing is left to sweep
    turns = itertools.chain([True, True, True], itertools.repeat(False))
    result = world.sweep(has_time=lambda: next(turns))
    assert not result.is_complete
    assert len(result.given_up) == 30
    assert parked_in(world) == {row.delivery_id for row in world.parked} == {row.delivery_id for row in result.given_up}
    assert len(world.sweep().given_up) == 65


def test_nothing_is_parked_if_the_queue_refuses_its_message():
    world = World(rows=forgotten(15))
    world.refuses = True
    with pytest.raises(QueueRefusedError):
        world.sweep()
    assert parked_in(world) == set()
