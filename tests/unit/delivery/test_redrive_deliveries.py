"""The parking queue is worked off: each message leaves it when its row is written, and not before."""

import pytest

from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.queues import DeliveryMessage, ParkedMessage
from ricochet.delivery.redrive_deliveries import RedriveOutcome, RedriveParked, RedriveRequest
from ricochet.values.inputs import validate
from ricochet.values.lifecycle import Lifecycle
from tests.unit.builders import IN_AN_HOUR, NOON, TOMORROW, RecordedAudit, a_delivery, a_partner

RETRYING, DELIVERED, SUPERSEDED, PARKED = DeliveryState


class World:
    """One row, its partner, and messages in the parking queue."""

    def __init__(self, row=None, partner=None, bodies=None):
        self.row, self.partner = row, partner or a_partner()
        message = DeliveryMessage("CONV-1", "000001#part_1", 4)
        self.messages = [ParkedMessage(str(n), body) for n, body in enumerate(bodies or [message.to_body()])]
        self.lost_race, self.audit = False, RecordedAudit()
        self.redrive = RedriveParked(self, self, self, self.audit, clock=lambda: IN_AN_HOUR)

    def __call__(self, limit=100, has_time=lambda: True):
        return self.redrive(limit, has_time)

    def take(self, limit):
        return iter(self.messages[:limit])

    def delete(self, message):
        self.messages = [one for one in self.messages if one is not message]

    def size(self):
        return len(self.messages)

    def count(self, state):
        return int(self.row is not None and self.row.state is state)

    def get(self, *key):
        return self.row if len(key) == 2 else self.partner

    def replace(self, row, seen):
        assert seen is self.row
        if not self.lost_race:
            self.row = row
        return not self.lost_race


def the_outcome(done) -> RedriveOutcome:
    (outcome,) = [one for one in RedriveOutcome if getattr(done, one)]
    assert (done.received, getattr(done, outcome)) == (1, 1)
    return outcome


def test_what_was_parked_is_due_at_once():
    world = World(a_delivery(state=PARKED, attempt_count=4))
    assert the_outcome(world()) is RedriveOutcome.REPLAYED
    assert (world.row.state, world.row.due_at, world.row.tries, world.messages) == (RETRYING, IN_AN_HOUR, 0, [])


@pytest.mark.parametrize(
    "row",
    [
        None,
        a_delivery(state=DELIVERED),
        a_delivery(state=SUPERSEDED),
        a_delivery(state=RETRYING, attempt_count=4, due_at=TOMORROW),
        a_delivery(state=RETRYING, attempt_count=5),
    ],
    ids=["gone", "delivered", "superseded", "due already", "further on"],
)
def test_a_message_whose_row_has_gone_on_is_dropped(row):
    world = World(row)
    assert the_outcome(world()) is RedriveOutcome.STALE
    assert (world.row, world.messages) == (row, [])


@pytest.mark.parametrize("lease", [None, NOON])
def test_a_row_that_waits_for_this_very_message_goes_on(lease):
    """As when our own side failed on it so often that the queue gave the message up."""
    world = World(a_delivery(state=RETRYING, attempt_count=4, lease_until=lease))
    assert the_outcome(world()) is RedriveOutcome.RESUMED
    assert (world.row.state, world.row.due_at, world.row.lease_until) == (RETRYING, IN_AN_HOUR, None)
    assert world.messages == []


@pytest.mark.parametrize(
    ("row", "partner", "lost_race"),
    [
        (a_delivery(state=PARKED), a_partner(status=Lifecycle.ARCHIVED), False),
        (a_delivery(state=PARKED), None, True),
        (a_delivery(state=RETRYING, attempt_count=4), None, True),
        (a_delivery(state=RETRYING, attempt_count=5, lease_until=TOMORROW), None, False),
    ],
    ids=["archived", "changed meanwhile", "moved meanwhile", "under way"],
)
def test_a_message_that_may_still_be_needed_stays(row, partner, lost_race):
    world = World(row, partner)
    world.lost_race = lost_race
    assert the_outcome(world()) is RedriveOutcome.KEPT
    assert (world.row, len(world.messages)) == (row, 1)


def test_a_message_that_nobody_can_read_stays_for_a_person():
    world = World(bodies=["no", "{}", "[]", '{"conversionId": "c"}'])
    done = world()
    assert (done.received, done.unreadable, len(world.messages)) == (4, 4, 4)


def test_a_row_is_written_before_its_message_goes():
    world = World(a_delivery(state=PARKED))
    world.replace = lambda row, seen: 1 / 0
    with pytest.raises(ZeroDivisionError):
        world()
    assert len(world.messages) == 1


def test_what_was_redriven_is_audited_even_if_it_is_interrupted():
    world = World(bodies=["no", "no", "no"])
    seen = []

    def progress(number):
        seen.append(number)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.redrive(3, lambda: True, progress)
    (line,) = world.audit.lines
    assert (line["action"], line["resource"], seen) == ("deliveries.redriven", "the parking queue", [1, 1])
    assert line["result"] == {"received": 2, "replayed": 0, "resumed": 0, "stale": 0, "kept": 0, "unreadable": 2}


def test_where_time_runs_out_the_rest_is_left():
    world = World(bodies=["no"] * 5)
    assert world(has_time=lambda: False).received == 1
    assert world(limit=3).received == 3


def test_a_count_takes_nothing():
    world = World(a_delivery(state=PARKED), bodies=["a", "b"])
    assert world.redrive.count().to_json() == {"dryRun": True, "messages": 2, "parked": 1}
    assert (len(world.messages), world.row.state) == (2, PARKED)


def test_one_has_to_ask_for_more_than_a_count():
    assert validate({}, RedriveRequest) == RedriveRequest(limit=100, dry_run=True)
