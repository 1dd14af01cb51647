"""A stream record becomes one delivery for each partner that subscribes to its version."""

import threading

import pytest

from ricochet.delivery.delivery import DeliveryState, Hold
from ricochet.delivery.distribute_conversions import DistributeConversions
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.transitions import Delay
from ricochet.dynamodb.wire import to_wire
from ricochet.http.client import SendResult
from ricochet.values import times
from ricochet.values.statuses import Status
from tests.unit.builders import IN_AN_HOUR, InMemoryLedger, OpenGate, a_conversion, a_partner, a_report, an_attempt

RETRYING, DELIVERED, SUPERSEDED, PARKED = DeliveryState
LEAD = a_conversion(status=Status.PENDING, source_status="lead", reported=Status.PENDING, credited=0, credited_at=None)
PURCHASE = a_conversion(version=2, updated_at="2026-03-01T14:00:00.000Z")


class World:
    """Partners and their answers, the recorded deliveries, and the queues."""

    def __init__(self, *partners, answers=None):
        self.partners, self.answers = partners or (a_partner(),), answers or {}
        self.rows, self.sent, self.retries, self.parked = {}, [], [], []
        self._lock = threading.Lock()
        self.gate, self.replies, self.reply = OpenGate(), [], None

    def distribute(self, *records, has_time=lambda: True):
        queues = (self._queue(self.retries), self._queue(self.parked))
        schedule = RetrySchedule((10,))
        distribute = DistributeConversions(
            self, self, self.gate, self, schedule, *queues, self, clock=lambda: IN_AN_HOUR
        )
        return distribute(records, has_time)

    def active(self):
        return [
            one.with_changes(postback_url=f"https://p.example/{one.partner_id}/{{status}}") for one in self.partners
        ]

    def of_conversion(self, conversion_id):
        return list(self.rows.values())

    def put_first(self, row):
        return self.rows.setdefault(row.delivery_key, row) is row

    def send(self, outbound):
        partner_id, event = outbound.url.split("/")[-2:]
        with self._lock:
            self.sent.append((partner_id, event))
        return SendResult(an_attempt(self.answers.get(partner_id, 200), reply=self.reply))

    def put(self, reply):
        self.replies.append(reply.status)

    @staticmethod
    def _queue(messages):
        class Queue:
            def send(self, rows, moment):
                messages.extend(row.delivery_key for row in rows)

        return Queue()


def a_record(new, old=None) -> dict:
    images = {"OldImage": old, "NewImage": new}
    return {"dynamodb": {name: to_wire(image.to_item()) for name, image in images.items() if image}}


def test_each_active_partner_receives_a_version_once():
    world = World(a_partner(), a_partner(partner_id="part_2"))
    result = world.distribute(a_record(PURCHASE, LEAD))
    assert sorted(world.sent) == [("part_1", "Purchase"), ("part_2", "Purchase")]
    assert {row.state for row in world.rows.values()} == {DELIVERED}
    assert (len(result.rows), world.retries, world.parked) == (2, [], [])


def test_repeated_record_sends_nothing():
    world = World()
    world.distribute(a_record(PURCHASE, LEAD))
    result = world.distribute(a_record(PURCHASE, LEAD))
    assert (len(world.sent), result.rows) == (1, [])


def test_failure_of_one_partner_is_enqueued_and_does_not_affect_others():
    world = World(a_partner(), a_partner(partner_id="part_2"), answers={"part_1": 500})
    world.distribute(a_record(PURCHASE, LEAD))
    assert {row.partner_id: row.state for row in world.rows.values()} == {"part_1": RETRYING, "part_2": DELIVERED}
    assert world.retries == ["000002#part_1"]


def test_recorded_delivery_is_enqueued_again_when_its_record_is_repeated():
    world = World(answers={"part_1": 500})
    world.distribute(a_record(PURCHASE, LEAD))
    world.distribute(a_record(PURCHASE, LEAD))
    assert (len(world.sent), world.retries) == (1, ["000002#part_1"] * 2)


def test_deliveries_without_time_left_are_enqueued_unsent():
    world = World()
    world.distribute(a_record(PURCHASE, LEAD), has_time=lambda: False)
    (row,) = world.rows.values()
    assert (world.sent, world.retries) == ([], ["000002#part_1"])
    assert (row.attempt_count, row.next_attempt_at) == (0, IN_AN_HOUR)


def test_partner_receives_the_versions_of_a_conversion_in_order():
    partners = [a_partner(partner_id=f"part_{number}") for number in range(8)]
    world = World(*partners)
    world.distribute(a_record(LEAD), a_record(PURCHASE, LEAD))
    for partner in partners:
        received = [event for partner_id, event in world.sent if partner_id == partner.partner_id]
        assert received == ["Lead", "Purchase"]


@pytest.mark.parametrize(
    "record",
    [
        a_record(LEAD.with_changes(amount=LEAD.amount + 1), LEAD),
        {"dynamodb": {"OldImage": to_wire(LEAD.to_item())}},
    ],
    ids=["no new version", "deleted"],
)
def test_record_without_a_new_version_is_not_delivered(record):
    world = World()
    world.distribute(record)
    assert (world.sent, world.rows) == ([], {})


def test_partner_receives_only_the_events_it_subscribed_to():
    world = World(a_partner(events=("Lead",)))
    world.distribute(a_record(PURCHASE, LEAD))
    assert (world.sent, world.rows) == ([], {})


def test_partial_refund_is_not_delivered():
    ledger = InMemoryLedger()
    sale = ledger.report(a_report(Status.APPROVED, 5)).conversion
    partial = ledger.report(a_report(Status.REVERSED, 2)).conversion
    world = World()
    world.distribute(a_record(sale), a_record(partial, sale))
    assert world.sent == [("part_1", "Purchase")]


def test_full_refund_is_delivered():
    ledger = InMemoryLedger()
    sale = ledger.report(a_report(Status.APPROVED, 5)).conversion
    refund = ledger.report(a_report(Status.REVERSED)).conversion
    world = World()
    world.distribute(a_record(refund, sale))
    assert world.sent == [("part_1", "Reject")]


def test_delivery_held_at_the_gate_uses_no_attempt():
    world = World(a_partner(), a_partner(partner_id="part_2"))
    world.gate = OpenGate(part_1=Delay(Hold.BREAKER, 30))
    world.distribute(a_record(PURCHASE, LEAD))
    row = world.rows["000002#part_1"]
    assert world.sent == [("part_2", "Purchase")]
    assert (row.state, row.attempt_count, row.held_by) == (RETRYING, 0, Hold.BREAKER)
    assert (row.due_at, world.retries) == (times.plus(IN_AN_HOUR, seconds=30), [])
    assert world.gate.health_changes == [("part_2", 200)]


def test_partner_does_not_receive_its_own_change():
    world = World(a_partner(), a_partner(partner_id="part_2"))
    world.distribute(a_record(PURCHASE.with_changes(changed_by="partner:part_1"), LEAD))
    assert world.sent == [("part_2", "Purchase")]


def test_version_waits_while_an_earlier_one_is_being_attempted():
    world = World(answers={"part_1": 500})
    world.distribute(a_record(LEAD))
    (lead,) = world.rows.values()
    world.rows[lead.delivery_key] = lead.with_changes(lease_until=times.plus(IN_AN_HOUR, seconds=45))
    world.distribute(a_record(PURCHASE, LEAD))
    row = world.rows["000002#part_1"]
    assert world.sent == [("part_1", "Lead")]
    assert (row.held_by, row.due_at) == (Hold.OTHER_VERSION, times.plus(IN_AN_HOUR, seconds=45))
    assert world.retries == ["000001#part_1"]


@pytest.mark.parametrize(
    ("reply", "decides", "kept", "passed_on"),
    [
        ('{"status": "Reject"}', True, Status.REJECTED, [Status.REJECTED]),
        ("status=Trash", False, Status.TRASH, []),
        ("Purchase", True, Status.APPROVED, []),
        ("OK", True, None, []),
    ],
    ids=["decides", "may not decide", "echoes", "acknowledges"],
)
def test_status_in_a_reply_is_recorded_and_forwarded_if_the_partner_may_decide(reply, decides, kept, passed_on):
    world = World(a_partner(reply_updates_status=decides))
    world.reply = reply
    world.distribute(a_record(PURCHASE, LEAD))
    (row,) = world.rows.values()
    assert (row.partner_status, world.replies) == (kept, passed_on)


def test_reply_of_a_failed_attempt_is_not_forwarded():
    world = World(a_partner(reply_updates_status=True), answers={"part_1": 500})
    world.reply = "Reject"
    world.distribute(a_record(PURCHASE, LEAD))
    assert world.replies == []
