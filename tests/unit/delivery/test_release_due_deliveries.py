"""Deliveries in the due index are released at their partner's rate."""

import pytest

from ricochet.delivery.partners.partner_health import PARTNER, Breaker, PartnerHealth
from ricochet.delivery.release_due_deliveries import DEFAULT_RATE, RUN_EVERY_SECONDS, ReleaseDueDeliveries
from ricochet.delivery.transitions import queue_delay
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from tests.unit.builders import IN_AN_HOUR, NOON, a_delivery, a_partner

AN_HOUR = 3600.0


class World:
    def __init__(self, waiting=0, health=None, **partner):
        self.partner, self.health = a_partner(**partner), health
        self.index = [a_delivery(due_at=NOON).with_changes(delivery_id=f"dlv_{number}") for number in range(waiting)]
        self.messages = []

    def release(self, has_time=lambda: True):
        return ReleaseDueDeliveries(self, self, self, self, clock=lambda: IN_AN_HOUR)(has_time)

    def all(self):
        return [self.partner]

    def of_partners(self):
        return {"part_1": self.health} if self.health else {}

    def due(self, partner_id, moment):
        return iter(list(self.index))

    def send(self, rows, moment):
        self.messages += [(row.delivery_id, queue_delay(row, moment)) for row in rows]

    def clear_due(self, row):
        self.index.remove(next(one for one in self.index if one.delivery_id == row.delivery_id))


def a_health(**changes) -> PartnerHealth:
    return PartnerHealth(**{"kind": PARTNER, "subject": "part_1", "updated_at": NOON, "ttl": 0} | changes)


def test_each_due_delivery_is_released_once_and_leaves_the_index():
    world = World(waiting=250)
    assert world.release().number == 250
    assert (len({delivery_id for delivery_id, _ in world.messages}), world.index) == (250, [])
    assert world.release().number == 0


def test_releases_keep_the_partners_rate_spread_over_the_minute():
    world = World(waiting=500, max_per_second=2)
    assert world.release().number == 2 * RUN_EVERY_SECONDS
    delays = [delay for _, delay in world.messages]
    assert delays == sorted(delays)
    assert max(delays.count(second) for second in set(delays)) <= 3  # whole seconds: 2 and a rounded neighbour
    assert len(world.index) == 380


def test_partner_without_a_rate_gets_its_backlog_at_the_default_rate():
    world = World(waiting=int(DEFAULT_RATE * RUN_EVERY_SECONDS) + 7)
    assert world.release().number == DEFAULT_RATE * RUN_EVERY_SECONDS


@pytest.mark.parametrize(
    ("health", "released"),
    [
        (a_health(breaker=Breaker.OPEN, open_until=times.plus(IN_AN_HOUR, seconds=1)), 0),
        (a_health(breaker=Breaker.OPEN, open_until=IN_AN_HOUR), 1),
        (a_health(breaker=Breaker.RECOVERING, recovered_at=IN_AN_HOUR), RUN_EVERY_SECONDS),
        (a_health(breaker=Breaker.RECOVERING, recovered_at=times.plus(IN_AN_HOUR, seconds=-60)), 4 * RUN_EVERY_SECONDS),
        (a_health(failures=3), 400),
    ],
    ids=["open", "to be probed", "just recovered", "recovering", "failing a little"],
)
def test_failing_partner_gets_what_its_breaker_allows(health, released):
    assert World(waiting=400, health=health).release().number == released


def test_deliveries_to_a_paused_partner_stay():
    world = World(waiting=3, status=Lifecycle.PAUSED)
    assert (world.release().number, len(world.index)) == (0, 3)


def test_deliveries_to_an_archived_partner_are_released_to_be_parked():
    assert World(waiting=3, status=Lifecycle.ARCHIVED).release().number == 3


def test_deliveries_without_time_left_stay():
    world = World(waiting=3)
    released = world.release(has_time=lambda: False)
    assert (released.number, released.oldest_due, len(world.index)) == (0, AN_HOUR, 3)


def test_lateness_of_the_oldest_due_delivery_is_reported():
    world = World(waiting=3)
    world.index[0] = world.index[0].with_changes(due_at=times.plus(NOON, seconds=-30))
    assert world.release().oldest_due == AN_HOUR + 30
    assert world.release().oldest_due == 0


@pytest.mark.parametrize(
    "partner",
    [
        {"max_per_second": 2},
        {"health": a_health(breaker=Breaker.OPEN, open_until=IN_AN_HOUR)},
        {"health": a_health(breaker=Breaker.RECOVERING, recovered_at=IN_AN_HOUR)},
    ],
    ids=["a rate", "an open breaker", "recovery"],
)
def test_delivery_slowed_down_by_its_partner_is_not_late(partner):
    released = World(waiting=3, **partner).release()
    assert released.number > 0
    assert released.oldest_due == 0
