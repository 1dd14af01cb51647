"""Which partners may be sent to now, as all processes know them."""

import pytest

from ricochet.delivery.delivery import Hold
from ricochet.delivery.partners.partner_gate import PROBE_SECONDS, PartnerGate
from ricochet.delivery.partners.partner_health import PARTNER, Breaker, PartnerHealth
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.transitions import Delay
from ricochet.errors import QueueRefusedError
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from tests.unit.builders import IN_AN_HOUR, NOON, a_partner, an_attempt

SCHEDULE = RetrySchedule((10, 60))


class World:
    """The health table, the partners, the event bus and the clock."""

    def __init__(self, *health, partner=None):
        self.rows = {row.partner_id: row for row in health}
        self.partner = partner or a_partner()
        self.moment, self.published, self.writes, self.permits, self.conflicts = IN_AN_HOUR, [], 0, 10**6, 0
        self.bus_is_down = False
        self.gate = PartnerGate(self, self, self, SCHEDULE, clock=lambda: self.moment, sleep=lambda seconds: None)

    def of_partners(self):
        return dict(self.rows)

    def of_partner(self, partner_id):
        return self.rows.get(partner_id)

    def put(self, health, seen):
        if self.conflicts:
            self.conflicts -= 1
            return False
        if self.rows.get(health.partner_id) != seen:
            return False
        self.writes += 1
        self.rows[health.partner_id] = health
        return True

    def claim_probe(self, health, lease_until):
        if self.rows[health.partner_id] != health:
            return False
        self.rows[health.partner_id] = health.with_changes(open_until=lease_until, revision=health.revision + 1)
        return True

    def claim_permit(self, partner_id, per_second, moment):
        self.permits -= 1
        return self.permits >= 0

    def get(self, partner_id):
        return self.partner

    def replace(self, partner, revision):
        self.partner = partner
        return True

    def publish(self, kind, detail):
        if self.bus_is_down:
            raise QueueRefusedError("no bus")
        self.published.append((kind, detail["percent"]))

    def session(self, *status_codes):
        """Record these answers in one invocation, and return the health changes."""
        session = self.gate.open_session()
        for code in status_codes:
            session.record("part_1", an_attempt(code, at=self.moment))
        return session.flush()


def a_health(**changes) -> PartnerHealth:
    return PartnerHealth(**{"kind": PARTNER, "subject": "part_1", "updated_at": NOON, "ttl": 0} | changes)


OPEN = a_health(breaker=Breaker.OPEN, times_opened=1, open_until=times.plus(IN_AN_HOUR, seconds=30))


def test_healthy_partner_passes_without_a_write():
    world = World()
    session = world.gate.open_session()
    assert session.check(a_partner()) is None
    session.record("part_1", an_attempt(200))
    assert (session.flush().changes, world.writes) == ([], 0)


def test_open_breaker_lets_nothing_pass_until_its_time():
    session = World(OPEN).gate.open_session()
    assert session.check(a_partner()) == Delay(Hold.BREAKER, 30.0)
    assert session.check(a_partner(partner_id="part_2")) is None


def test_one_probe_passes_for_all_processes_and_another_if_its_process_dies():
    world = World(OPEN.with_changes(open_until=IN_AN_HOUR))
    first, second = world.gate.open_session(), world.gate.open_session()
    assert first.check(a_partner()) is None
    assert second.check(a_partner()) == Delay(Hold.BREAKER, PROBE_SECONDS)
    assert first.check(a_partner()) == Delay(Hold.BREAKER, PROBE_SECONDS)
    world.moment = times.plus(IN_AN_HOUR, seconds=PROBE_SECONDS)
    assert world.gate.open_session().check(a_partner()) is None


def test_probe_decides_for_all_processes():
    for answer, breaker in ((200, Breaker.RECOVERING), (500, Breaker.OPEN)):
        world = World(OPEN.with_changes(open_until=IN_AN_HOUR))
        session = world.gate.open_session()
        session.check(a_partner())
        session.record("part_1", an_attempt(answer))
        session.flush()
        assert world.rows["part_1"].breaker is breaker
        assert world.rows["part_1"].open_until != IN_AN_HOUR


def test_partner_is_held_back_after_three_timeouts_in_a_row():
    session = World().gate.open_session()
    for _ in range(3):
        assert session.check(a_partner()) is None
        session.record("part_1", an_attempt(None, timed_out=True))
    assert session.check(a_partner()) == Delay(Hold.BREAKER, 10)


def test_deliveries_over_the_partners_rate_are_held_back():
    world = World()
    world.permits = 2
    session = world.gate.open_session()
    waits = [session.check(a_partner(max_per_second=2)) for _ in range(4)]
    assert waits == [None, None, Delay(Hold.RATE, 0), Delay(Hold.RATE, 0)]


def test_recovering_partner_is_served_from_the_due_index():
    world = World(a_health(breaker=Breaker.RECOVERING, recovered_at=IN_AN_HOUR))
    world.permits = 0
    assert world.gate.open_session().check(a_partner()) == Delay(Hold.BREAKER, 0)


def test_slow_partner_does_not_use_the_time_of_others():
    session = World().gate.open_session()
    for _ in range(9):
        assert session.check(a_partner()) is None
        session.record("part_1", an_attempt(200, ms=2900))
    assert session.check(a_partner()) == Delay(Hold.SLOW, 10)


def test_invocation_writes_once_for_each_failing_partner():
    world = World()
    health_changes = world.session(*[500] * 20)
    assert world.writes == 1
    assert [(change.kind, change.partner_id) for change in health_changes.changes] == [("breaker_opened", "part_1")]


def test_health_changed_concurrently_is_read_again():
    world = World(a_health(failures=3, server_failures=3, failing_since=NOON))
    world.conflicts = 2
    assert world.session(500).failures == []
    assert world.rows["part_1"].failures == 4


def test_health_that_cannot_be_saved_is_returned_as_a_failure():
    world = World()
    world.conflicts = 99
    assert [type(failure).__name__ for failure in world.session(500).failures] == ["HealthContestedError"]


def test_three_warnings_precede_the_pause():
    world = World(a_health(failing_since=NOON, failures=50))
    kinds = []
    for hour in (36, 40, 51, 65, 72):
        world.moment = times.plus(NOON, hours=hour)
        kinds += [change.kind for change in world.session(404).changes]
    assert world.published == [
        ("Partner Failing", 50),
        ("Partner Failing", 70),
        ("Partner Failing", 90),
        ("Partner Paused", 100),
    ]
    assert kinds == ["partner_failing"] * 3 + ["partner_paused"]
    assert (world.partner.status, world.partner.paused_at) == (Lifecycle.PAUSED, world.moment)
    assert world.partner.pause_reason.startswith(f"no success since {NOON} in 55 attempts")


def test_warning_that_could_not_be_published_is_repeated():
    world = World(a_health(failing_since=NOON, failures=50))
    world.moment, world.bus_is_down = times.plus(NOON, hours=40), True
    assert len(world.session(404).failures) == 1
    world.bus_is_down = False
    world.session(404)
    assert world.published == [("Partner Failing", 50)]


def test_pause_that_could_not_be_published_happens_at_the_next_failure():
    world = World(a_health(failing_since=NOON, failures=50))
    world.moment, world.bus_is_down = times.plus(NOON, hours=80), True
    world.session(404)
    assert world.partner.status is Lifecycle.ACTIVE
    world.bus_is_down = False
    assert [change.kind for change in world.session(404).changes] == ["partner_paused"]
    assert (world.published, world.partner.status) == ([("Partner Paused", 100)], Lifecycle.PAUSED)


def test_pause_is_published_once_despite_concurrent_writes():
    world = World(a_health(failing_since=NOON, failures=50))
    world.moment, world.conflicts = times.plus(NOON, hours=80), 2
    assert [change.kind for change in world.session(404).changes] == ["partner_paused"]
    assert world.published == [("Partner Paused", 100)]


def test_two_gone_replies_pause_at_once():
    world = World()
    world.session(410)
    assert world.partner.status is Lifecycle.ACTIVE
    world.session(410)
    assert world.partner.pause_reason == "it answered 410 Gone 2 times"


def test_partner_paused_by_an_operator_is_not_paused_again():
    world = World(a_health(failing_since=NOON, failures=50), partner=a_partner(status=Lifecycle.PAUSED))
    world.moment = times.plus(NOON, hours=80)
    world.session(500)
    assert (world.published, world.partner.pause_reason) == ([], None)


@pytest.mark.parametrize("codes", [(200,), (500, 200)])
def test_success_resets_a_failing_partner(codes):
    world = World(a_health(failures=2, failing_since=NOON))
    world.session(*codes)
    assert (world.rows["part_1"].failures, world.rows["part_1"].failing_since) == (0, None)
