"""A message of the retry queue leads to one attempt at most, and no delivery is lost."""

import pytest

from ricochet.delivery.delivery import DeliveryState, Hold
from ricochet.delivery.queues import DeliveryMessage
from ricochet.delivery.retry_deliveries import LEASE_SECONDS, RetryDeliveries, parse_messages
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.transitions import Delay
from ricochet.errors import DeliveryBusyError, QueueRefusedError
from ricochet.http.client import SendResult
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from tests.unit.builders import IN_AN_HOUR, NOON, TOMORROW, OpenGate, a_delivery, a_partner, an_attempt

RETRYING, DELIVERED, SUPERSEDED, PARKED = DeliveryState


class World:
    """One delivery, its partner and the partner's answer, and the queues."""

    def __init__(self, row=None, partner=None, answer=200):
        self.row = row if row is not None else a_delivery(attempt_count=1)
        self.partner, self.answer = partner if partner is not None else a_partner(), answer
        self.others, self.lost_race, self.sent, self.retries, self.parked = [], False, 0, [], []
        self.reply, self.replies = None, []
        queues = (self._queue(self.retries), self._queue(self.parked))
        self.gate = OpenGate()
        schedule = RetrySchedule((10, 7200))
        self.retry = RetryDeliveries(self, self, self.gate, self, schedule, *queues, self, clock=lambda: IN_AN_HOUR)

    def process(self, attempt=None, *, is_repeated=False):
        """Process one message and return the row; raise the reason if the message must come back."""
        made = self.row.attempt_count if attempt is None else attempt
        result = self.retry({"m-1": DeliveryMessage("CONV-1", self.row.delivery_key, made, is_repeated)})
        for reason in result.failures.values():
            raise reason
        return self.row

    def get(self, *key):
        return self.row if len(key) == 2 else self.partner

    def of_conversion(self, conversion_id):
        return [self.row, *self.others]

    def put(self, reply):
        self.replies.append((reply.version, reply.status))

    def claim(self, row, attempt, lease_until):
        if self.lost_race:
            return None
        self.row = row.with_changes(attempt_count=attempt, lease_until=lease_until)
        return self.row

    def record(self, row):
        self.row = row
        return True

    def send(self, outbound):
        self.sent += 1
        return SendResult(an_attempt(self.answer, reply=self.reply))

    @staticmethod
    def _queue(messages):
        class Queue:
            def send(self, rows, moment):
                messages.extend(row.attempt_count for row in rows)

        return Queue()


def test_success_ends_the_delivery():
    world = World()
    row = world.process()
    assert (row.state, row.attempt_count, row.lease_until, world.sent) == (DELIVERED, 2, None, 1)
    assert (world.row, world.retries, world.parked) == (row, [], [])


def test_failure_leaves_one_message_for_the_next_attempt():
    world = World(a_delivery(attempt_count=0), answer=500)
    assert world.process().state is RETRYING
    assert (world.retries, world.parked) == ([1], [])


def test_long_delay_leaves_a_due_time_and_no_message():
    world = World(answer=500)
    row = world.process()
    assert (row.due_at is not None, world.retries) == (True, [])


def test_delivery_is_parked_after_the_last_failure():
    world = World(a_delivery(attempt_count=2), answer=500)
    assert world.process().state is PARKED
    assert (world.retries, world.parked) == ([], [3])


def test_claim_outlasts_the_longest_attempt():
    world = World()
    claimed = []
    world.send = lambda outbound: claimed.append(world.row) or SendResult(an_attempt())
    world.process()
    assert claimed[0].lease_until == times.plus(IN_AN_HOUR, seconds=LEASE_SECONDS)
    assert claimed[0].attempt_count == 2


@pytest.mark.parametrize(("state", "parked"), [(DELIVERED, []), (SUPERSEDED, []), (PARKED, [1])])
def test_ended_delivery_is_not_sent_and_parked_again_only_for_a_repeated_message(state, parked):
    world = World(a_delivery(state=state))
    assert world.process().state is state
    assert (world.sent, world.retries, world.parked) == (0, [], [])
    world.process(is_repeated=True)
    assert (world.sent, world.retries, world.parked) == (0, [], parked)


def test_old_message_sends_nothing():
    world = World(a_delivery(attempt_count=3))
    world.process(attempt=2)
    assert (world.sent, world.retries) == (0, [])


def test_repeated_old_message_enqueues_the_next_one():
    world = World(a_delivery(attempt_count=3))
    world.process(attempt=2, is_repeated=True)
    assert (world.sent, world.retries) == (0, [3])


def test_attempt_under_way_is_left_alone():
    world = World(a_delivery(lease_until=TOMORROW))
    with pytest.raises(DeliveryBusyError):
        world.process()
    assert world.sent == 0


def test_attempt_of_a_dead_process_is_repeated_under_its_number():
    world = World(a_delivery(attempt_count=2, lease_until=NOON))
    assert world.process(attempt=1).attempt_count == 2
    assert world.sent == 1


def test_lost_claim_sends_nothing():
    world = World()
    world.lost_race = True
    with pytest.raises(DeliveryBusyError):
        world.process()
    assert world.sent == 0


def test_older_version_is_superseded_by_an_accepted_newer_one():
    world = World()
    newer = a_delivery(attempts=(an_attempt(200),)).with_changes(version=2)
    for state in (DELIVERED, RETRYING):  # the latter: it is being replayed
        world.others = [newer.with_changes(state=state)]
        assert world.process().state is SUPERSEDED
        world.row = a_delivery(attempt_count=1)
    assert world.sent == 0


def test_version_waits_while_another_is_being_sent_to_the_same_partner():
    world = World()
    world.others = [a_delivery(lease_until=times.plus(IN_AN_HOUR, seconds=40)).with_changes(version=2)]
    row = world.process()
    assert (row.held_by, row.due_at, world.sent) == (Hold.OTHER_VERSION, times.plus(IN_AN_HOUR, seconds=40), 0)
    world.row = a_delivery(attempt_count=1)
    world.others = [world.others[0].with_changes(partner_id="part_2")]
    assert world.process().state is DELIVERED


def test_status_in_a_reply_is_forwarded_once_recorded_and_again_for_a_repeated_message():
    world = World(partner=a_partner(reply_updates_status=True))
    world.reply = "Reject"
    assert world.process().partner_status == "rejected"
    assert world.replies == [(1, "rejected")]
    world.process()
    assert (world.sent, world.replies) == (1, [(1, "rejected")] * 2)


def test_delivery_to_a_paused_partner_waits_without_using_an_attempt():
    world = World(partner=a_partner(status=Lifecycle.PAUSED))
    row = world.process()
    assert (row.state, row.attempt_count, row.held_by, world.sent) == (RETRYING, 1, Hold.PAUSED, 0)
    assert (row.due_at, world.retries) == (IN_AN_HOUR, [])


def test_delivery_held_at_the_gate_uses_no_attempt():
    world = World()
    world.gate.waits["part_1"] = Delay(Hold.RATE, 5)
    row = world.process()
    assert (row.attempt_count, row.held_by, world.sent) == (1, Hold.RATE, 0)
    assert (row.due_at, world.retries) == (times.plus(IN_AN_HOUR, seconds=5), [])


def test_message_whose_next_message_was_refused_comes_back():
    world = World(a_delivery(attempt_count=0), answer=500)
    world.retry.retry_queue.send = lambda rows, moment: refuse(rows)
    with pytest.raises(QueueRefusedError):
        world.process()
    assert world.row.attempt_count == 1


def refuse(rows):
    raise QueueRefusedError("the queue refused messages", [row.delivery_id for row in rows])


def test_unreadable_messages_are_separated():
    good = DeliveryMessage("CONV-1", "000001#part_1", 1)
    again = DeliveryMessage("CONV-1", "000001#part_1", 1, is_repeated=True)
    messages, unreadable = parse_messages(
        [("a", good.to_body(), 1), ("b", "{}", 1), ("c", "no", 1), ("d", good.to_body(), 2)]
    )
    assert (messages, unreadable) == ({"a": good, "d": again}, ["b", "c"])


def test_nothing_is_sent_to_an_archived_partner():
    world = World(partner=a_partner(status=Lifecycle.ARCHIVED))
    assert world.process().state is PARKED
    assert (world.sent, world.parked) == (0, [1])


def test_message_without_a_row_does_nothing():
    world = World()
    world.get = lambda *key: None
    world.process()
    assert (world.sent, world.retries, world.parked) == (0, [], [])
