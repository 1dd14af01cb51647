"""What a delivery becomes after an attempt, a delay or a replay."""

import pytest

from ricochet.delivery.delivery import DeliveryState, Hold, delivery_key, shards_of, version_prefix
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.transitions import Delay, after_attempt, ended, held_back, queue_delay, restarted, waiting
from ricochet.ledger.notice import Notice
from ricochet.values import times
from ricochet.values.statuses import Status
from tests.unit.builders import IN_AN_HOUR, NOON, TOMORROW, a_conversion, a_delivery, an_attempt

SCHEDULE = RetrySchedule((10, 3600))
LEASED = {"lease_until": TOMORROW, "next_attempt_at": NOON, "held_by": Hold.RATE, "due_at": NOON}


def assert_not_waiting(delivery):
    assert (delivery.next_attempt_at, delivery.held_by, delivery.due_at, delivery.lease_until) == (None,) * 4


def test_success_delivers():
    attempt = an_attempt(204)
    row = after_attempt(a_delivery(**LEASED), attempt, None, SCHEDULE, TOMORROW)
    assert (row.state, row.attempts, row.updated_at) == (DeliveryState.DELIVERED, (attempt,), TOMORROW)
    assert_not_waiting(row)


def test_failed_delivery_waits_in_the_queue():
    row = after_attempt(a_delivery(**LEASED), an_attempt(500), None, SCHEDULE, IN_AN_HOUR)
    assert (row.state, row.held_by, row.due_at, row.lease_until) == (DeliveryState.RETRYING, None, None, None)
    assert times.plus(IN_AN_HOUR, seconds=10) <= row.next_attempt_at <= times.plus(IN_AN_HOUR, seconds=11)


def test_delay_too_long_for_the_queue_is_kept_in_the_due_index():
    row = after_attempt(a_delivery(attempt_count=2), an_attempt(None), None, SCHEDULE, IN_AN_HOUR)
    assert row.state is DeliveryState.RETRYING
    assert row.due_at == row.next_attempt_at >= times.plus(IN_AN_HOUR, hours=1)


def test_waiting_delivery_has_no_lease():
    row = waiting(a_delivery(**LEASED), 5, TOMORROW)
    assert (row.lease_until, row.updated_at) == (None, TOMORROW)


@pytest.mark.parametrize(
    ("seconds", "indexed"), [(0, False), (899.5, False), (900, False), (900.1, True), (86_400, True)]
)
def test_due_index_has_only_delays_that_a_queue_cannot_keep(seconds, indexed):
    row = waiting(a_delivery(), seconds, IN_AN_HOUR)
    assert (row.due_at is not None) == indexed


def test_shorter_delay_leaves_the_due_index():
    row = waiting(waiting(a_delivery(), 5000, NOON), 5, IN_AN_HOUR)
    assert (row.due_at, row.next_attempt_at) == (None, times.plus(IN_AN_HOUR, seconds=5))


def test_last_failure_parks_a_delivery():
    row = after_attempt(a_delivery(attempt_count=3, **LEASED), an_attempt(500), None, SCHEDULE, TOMORROW)
    assert row.state is DeliveryState.PARKED
    assert_not_waiting(row)


def test_retry_after_is_passed_to_the_schedule():
    row = after_attempt(a_delivery(), an_attempt(429), 600, SCHEDULE, IN_AN_HOUR)
    assert row.next_attempt_at >= times.plus(IN_AN_HOUR, seconds=600)


def test_only_the_last_reply_is_kept():
    row = a_delivery(attempts=(an_attempt(500, reply="first", error="a"),), attempt_count=2)
    row = after_attempt(row, an_attempt(503, reply="second"), None, SCHEDULE, IN_AN_HOUR)
    assert [(attempt.status_code, attempt.reply) for attempt in row.attempts] == [(500, None), (503, "second")]
    assert row.attempts[0].error == "a"


@pytest.mark.parametrize("state", [DeliveryState.PARKED, DeliveryState.SUPERSEDED])
def test_ended_delivery_is_not_waiting(state):
    row = ended(a_delivery(**LEASED), state, TOMORROW)
    assert (row.state, row.updated_at, row.state.is_terminal) == (state, TOMORROW, True)
    assert_not_waiting(row)


@pytest.mark.parametrize(
    ("next_attempt_at", "delay"),
    [
        (None, 0),
        (NOON, 0),
        (IN_AN_HOUR, 0),
        ("2026-03-01T13:00:10.400Z", 10),
        ("2026-03-01T13:15:00.000Z", 900),
        (TOMORROW, 900),
    ],
)
def test_queue_delay_is_between_zero_and_fifteen_minutes(next_attempt_at, delay):
    assert queue_delay(a_delivery(next_attempt_at=next_attempt_at), IN_AN_HOUR) == delay


def test_delivery_held_back_waits_in_the_due_index_with_the_reason():
    row = held_back(a_delivery(**LEASED), Delay(Hold.BREAKER, 5), IN_AN_HOUR)
    assert (row.held_by, row.due_at, row.attempt_count) == (Hold.BREAKER, times.plus(IN_AN_HOUR, seconds=5), 1)


def test_replayed_delivery_restarts_its_schedule_under_the_same_id():
    parked = after_attempt(a_delivery(attempt_count=3), an_attempt(500), None, SCHEDULE, IN_AN_HOUR)
    again = restarted(parked, TOMORROW)
    assert (again.state, again.due_at, again.tries, again.attempt_count) == (DeliveryState.RETRYING, TOMORROW, 0, 3)
    assert again.delivery_id == parked.delivery_id
    assert again.ttl - times.epoch_seconds(TOMORROW) == 90 * 86_400
    row = after_attempt(again.with_changes(attempt_count=4), an_attempt(500), None, SCHEDULE, TOMORROW)
    assert row.state is DeliveryState.RETRYING
    assert row.next_attempt_at <= times.plus(TOMORROW, seconds=11)


def test_only_open_deliveries_are_listed_by_state():
    states = {state: a_delivery(state=state).state_shard for state in DeliveryState}
    assert {state for state, shard in states.items() if shard} == {DeliveryState.RETRYING, DeliveryState.PARKED}
    assert all(shard in shards_of(state) for state, shard in states.items() if shard)
    assert a_delivery().partner_shard in shards_of("part_1")


def test_only_a_retrying_delivery_is_not_terminal():
    assert [state for state in DeliveryState if not state.is_terminal] == [DeliveryState.RETRYING]


def test_keys_sort_by_version_and_end_with_the_partner():
    keys = [delivery_key(version, "part_1") for version in (1, 2, 9, 10, 11, 100, 999_999)]
    assert keys == sorted(keys)
    assert all(key.endswith("#part_1") for key in keys)
    assert delivery_key(1, "part_1").startswith(version_prefix(1))
    assert not delivery_key(10, "part_1").startswith(version_prefix(1))


def test_delivery_is_kept_for_ninety_days():
    assert a_delivery().ttl - times.epoch_seconds(IN_AN_HOUR) == 90 * 86_400


def test_notice_has_the_sources_id_and_status():
    notice = Notice.of(
        a_conversion(
            source_conversion_id="theirs", payout="7.50", sub1="one", status=Status.TRASH, source_status="spam"
        )
    )
    assert (notice.conversion_id, notice.payout, notice.original_status) == ("theirs", "7.5", "spam")
    assert (notice.sub1, notice.sub2, notice.offer_id, notice.status) == ("one", "", "", Status.TRASH)


@pytest.mark.parametrize(("amount", "payout", "sent"), [("5", None, "5"), ("5", "0", "0"), ("100", "1E+2", "100")])
def test_notice_has_the_payout_or_the_amount(amount, payout, sent):
    assert Notice.of(a_conversion(amount=amount, payout=payout)).payout == sent
