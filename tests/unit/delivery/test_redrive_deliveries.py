"""A redrive deletes each message of the parking queue only after its row is written."""

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


def test_parked_delivery_becomes_due_at_once():
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
    ids=["deleted", "delivered", "superseded", "due already", "further on"],
)
def test_message_whose_row_moved_on_is_deleted(row):
    world = World(row)
    assert the_outcome(world()) is RedriveOutcome.STALE
    assert (world.row, world.messages) == (row, [])


@pytest.mark.parametrize("lease", [None, NOON])
def test_row_that_waits_for_this_message_is_resumed(lease):
    """Our side failed so often that SQS parked the message."""
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
    ids=["archived", "changed concurrently", "moved concurrently", "under way"],
)
def test_message_that_may_still_be_needed_is_kept(row, partner, lost_race):
    world = World(row, partner)
    world.lost_race = lost_race
    assert the_outcome(world()) is RedriveOutcome.KEPT
    assert (world.row, len(world.messages)) == (row, 1)


def test_unreadable_message_is_kept_for_a_person():
    world = World(bodies=["no", "{}", "[]", '{"conversionId": "c"}'])
    done = world()
    assert (done.received, done.unreadable, len(world.messages)) == (4, 4, 4)


def test_row_is_written_before_its_message_is_deleted():
    world = World(a_delivery(state=PARKED))
    world.replace = lambda row, seen: 1 / 0
    with pytest.raises(ZeroDivisionError):
        world()
    assert len(world.messages) == 1


def test_interrupted_redrive_is_audited():
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


def test_remaining_messages_are_left_when_time_runs_out():
    world = World(bodies=["no"] * 5)
    assert world(has_time=lambda: False).received == 1
    assert world(limit=3).received == 3


def test_count_receives_no_messages():
    world = World(a_delivery(state=PARKED), bodies=["a", "b"])
    assert world.redrive.count().to_json() == {"dryRun": True, "messages": 2, "parked": 1}
    assert (len(world.messages), world.row.state) == (2, PARKED)


def test_redrive_counts_unless_asked_to_act():
    assert validate({}, RedriveRequest) == RedriveRequest(limit=100, dry_run=True)
