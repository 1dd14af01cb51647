"""What the doctor makes of the facts about a stack: green or red, and the right next step."""

import pytest

from ops import diagnosis
from ops.diagnosis import LATE_SECONDS, NEWS_DAYS, SILENT_DAYS
from ops.doctor import examined
from ops.facts import Alarm, Deployment, OpenDeliveries, Queue, Reach, SourceReceipts, Trigger
from ops.stacks import Stack
from ops.target import Target
from ricochet.delivery.delivery import DeliveryState, Hold
from ricochet.delivery.partners.manage_partners import PAUSED_BY_OPERATOR
from ricochet.delivery.partners.partner_health import (
    PARTNER,
    PAUSE_AFTER_ATTEMPTS,
    PAUSE_AFTER_HOURS,
    Breaker,
    PartnerHealth,
)
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from tests.unit.builders import IN_AN_HOUR, a_delivery, a_partner, an_attempt

NOW = IN_AN_HOUR


def ago(**delta) -> str:
    return times.plus(NOW, **{name: -value for name, value in delta.items()})


def only(findings):
    assert len(findings) == 1
    return findings[0]


def unwell(**changes) -> PartnerHealth:
    fields = {"kind": PARTNER, "subject": "part_1", "updated_at": NOW, "ttl": 0, "failures": 6, "failing_since": NOW}
    return PartnerHealth(**fields | changes)


def parked(**changes):
    return a_delivery(state=DeliveryState.PARKED, attempts=(an_attempt(500),)).with_changes(
        **{"updated_at": ago(hours=1)} | changes
    )


class TestDeployment:
    def test_a_stack_that_is_complete_and_answers_is_green(self):
        seen = Deployment("UPDATE_COMPLETE", "https://api.example", "404: ...", works=True)
        assert only(diagnosis.deployment(seen)).ok

    @pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
    def test_a_deployment_that_is_under_way_is_green_and_said(self, status):
        finding = only(diagnosis.deployment(Deployment(status, "https://api.example", "", works=True)))
        assert (finding.ok, f"{status}: a deployment is under way" in finding.text) == (True, True)
        broken = only(diagnosis.deployment(Deployment(status, "https://api.example", "502: no", works=False)))
        assert (broken.ok, "502: no" in broken.text) == (False, True)

    def test_while_the_first_one_is_under_way_there_is_nothing_to_be_asked(self):
        finding = only(diagnosis.deployment(Deployment("CREATE_IN_PROGRESS", None)))
        assert (finding.ok, "the first deployment is under way" in finding.text) == (True, True)

    @pytest.mark.parametrize(
        ("status", "hint"),
        [
            *((status, "deploy again") for status in ("ROLLBACK_COMPLETE", "ROLLBACK_IN_PROGRESS", "CREATE_FAILED")),
            *((status, "deploy again") for status in ("DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")),
            ("CREATE_COMPLETE", "one of ours"),
        ],
    )
    def test_a_stack_without_an_api_is_judged_by_its_status_alone(self, status, hint):
        finding = only(diagnosis.deployment(Deployment(status, None)))
        assert (finding.ok, status in finding.text, hint in finding.advice) == (False, True, True)

    @pytest.mark.parametrize(
        "status",
        ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"],
    )
    def test_a_deployment_that_did_not_go_through_is_red(self, status):
        finding = only(diagnosis.deployment(Deployment(status, "https://api.example", "", works=True)))
        assert not finding.ok
        assert status in finding.text

    def test_an_api_that_answers_something_else_is_red_and_what_it_said_is_shown(self):
        finding = only(
            diagnosis.deployment(Deployment("CREATE_COMPLETE", "https://api.example", "502: no", works=False))
        )
        assert (finding.ok, "502: no" in finding.text) == (False, True)

    def test_the_doctor_looks_at_nothing_else_of_a_stack_that_has_nothing_in_it_yet(self):
        target = Target("s", "eu-west-1")
        target.__dict__["stack"] = Stack("s", "ROLLBACK_COMPLETE", {}, {}, session=None)
        ((check, findings),) = examined(target).items()
        assert (check, only(findings).ok) == ("stack", False)
        assert "ROLLBACK_COMPLETE" in only(findings).text


class TestTables:
    def test_active_tables_are_green(self):
        assert only(diagnosis.tables({"Clicks": "ACTIVE", "Users": "ACTIVE"})).text == "2 tables are ACTIVE"

    def test_what_is_not_active_is_named_and_what_is_lost_comes_first(self):
        assert "Users is UPDATING" in only(diagnosis.tables({"Clicks": "ACTIVE", "Users": "UPDATING"})).text
        lost = only(diagnosis.tables({"Clicks": "MISSING", "Users": "UPDATING"}))
        assert (lost.text, "backup" in lost.advice) == ("not there: Clicks", True)


class TestTriggers:
    def test_enabled_ones_are_green_however_they_are_spelled(self):
        seen = [Trigger("Records", "Enabled", "OK - 1 records"), Trigger("EachMinute", "ENABLED")]
        assert only(diagnosis.triggers(seen)).ok

    def test_one_that_is_off_and_one_whose_function_fails_are_red(self):
        off, failing = diagnosis.triggers(
            [Trigger("Records", "Disabled"), Trigger("Messages", "Enabled", "PROBLEM: Function call failed")]
        )
        assert (off.ok, off.text) == (False, "Records is Disabled")
        assert (failing.ok, "Function call failed" in failing.text) == (False, True)


class TestPartners:
    def test_without_an_active_one_nobody_is_told(self):
        finding = only(diagnosis.partners([a_partner(status=Lifecycle.ARCHIVED)]))
        assert (finding.ok, finding.command) == (False, "partners list")

    def test_one_that_an_operator_paused_is_mentioned_and_green(self):
        paused = a_partner(partner_id="rests", status=Lifecycle.PAUSED, paused_at=NOW, pause_reason=PAUSED_BY_OPERATOR)
        finding = only(diagnosis.partners([a_partner(), paused]))
        assert (finding.ok, finding.text) == (True, "1 active: part_1; paused by operators: rests")

    def test_one_that_we_gave_up_on_is_red_with_the_reason_and_the_way_back(self):
        paused = a_partner(partner_id="gone", status=Lifecycle.PAUSED, paused_at=NOW, pause_reason="410 Gone twice")
        finding = only(diagnosis.partners([a_partner(), paused]))
        assert (finding.ok, finding.command) == (False, "partners edit gone status=active")
        assert "410 Gone twice" in finding.text


class TestReach:
    def test_places_that_take_connections_are_green(self):
        assert only(diagnosis.reach([Reach("a.example:443", ("part_1",))])).ok

    def test_one_that_does_not_is_red_with_everyone_who_is_there(self):
        finding = only(diagnosis.reach([Reach("a.example:443", ("one", "two"), "connection refused")]))
        assert "a.example:443" in finding.text
        assert "connection refused" in finding.text
        assert "one, two" in finding.text
        assert "ask the partner" in finding.advice
        assert finding.command == "partners show one"

    def test_of_the_demos_own_partners_it_is_known_how_to_bring_them_back(self):
        finding = only(diagnosis.reach([Reach("127.0.0.1:1", ("demo-get",), "connection refused", is_demo=True)]))
        assert "make start-partners" in finding.advice

    def test_nobody_to_reach_is_no_finding_of_its_own(self):
        assert only(diagnosis.reach([])).ok


class TestPostbacks:
    def test_the_last_one_is_told(self):
        seen = [SourceReceipts("product:a", ago(minutes=5), accepted=1), SourceReceipts("network:b", ago(hours=5), 1)]
        finding = only(diagnosis.postbacks(seen, NOW))
        assert (finding.ok, finding.text) == (True, "the last one came 5 min ago (product:a)")

    def test_without_sources_nobody_can_report(self):
        assert "create a product or a network" in only(diagnosis.postbacks([], NOW)).advice

    def test_silence_is_red(self):
        finding = only(diagnosis.postbacks([SourceReceipts("product:a")], NOW))
        assert (finding.ok, str(SILENT_DAYS) in finding.text) == (False, True)

    def test_a_source_that_is_always_refused_is_red_with_its_receipts(self):
        refused = SourceReceipts("network:b", NOW, refused={"postback_not_authenticated": 3, "unknown_status": 4})
        finding = only(diagnosis.postbacks([SourceReceipts("product:a", NOW, 1), refused], NOW))
        assert (finding.ok, finding.command) == (False, "receipts --network b")
        assert finding.text.endswith("4 unknown_status, 3 postback_not_authenticated")

    def test_a_refusal_among_others_that_were_taken_in_is_no_finding(self):
        seen = [SourceReceipts("product:a", NOW, accepted=1, refused={"postback_not_authenticated": 9})]
        assert only(diagnosis.postbacks(seen, NOW)).ok


class TestDeliveries:
    def test_nothing_open_is_green(self):
        assert only(diagnosis.deliveries(OpenDeliveries(), NOW)).text == "nobody is waiting"

    def test_what_is_retried_in_time_is_green(self):
        retried = a_delivery(next_attempt_at=times.plus(NOW, hours=1))
        finding = only(diagnosis.deliveries(OpenDeliveries((retried,), partners=(a_partner(),)), NOW))
        assert (finding.ok, finding.text) == (True, "1 being retried, all in time")

    def test_what_was_given_up_is_red_for_each_partner_with_its_last_words(self):
        other = parked(
            partner_id="part_2",
            attempts=(
                an_attempt(
                    None,
                    error="ConnectionError: ConnectionRefusedError",
                    error_kind="ConnectionRefusedError",
                ),
            ),
        )
        seen = OpenDeliveries(
            parked=(parked(), parked(), other), partners=(a_partner(), a_partner(partner_id="part_2"))
        )
        first, second = diagnosis.deliveries(seen, NOW)
        assert (first.ok, first.text) == (False, "given up for part_1: 2 (answered 500)")
        assert (second.ok, second.text) == (False, "given up for part_2: 1 (ConnectionRefusedError)")
        assert first.command == "deliveries --partner part_1 --state parked"

    def test_what_was_given_up_long_ago_or_for_an_archived_partner_is_old_news(self):
        old = parked(updated_at=ago(days=NEWS_DAYS + 1))
        assert only(diagnosis.deliveries(OpenDeliveries(parked=(old,), partners=(a_partner(),)), NOW)).ok
        archived = OpenDeliveries(parked=(parked(),), partners=(a_partner(status=Lifecycle.ARCHIVED),))
        assert only(diagnosis.deliveries(archived, NOW)).ok

    def test_where_not_all_was_looked_at_old_ones_count_and_it_is_said(self):
        old = parked(updated_at=ago(days=NEWS_DAYS + 1))
        seen = OpenDeliveries(parked=(old,), partners=(a_partner(),), is_all=False)
        assert "1 or more" in only(diagnosis.deliveries(seen, NOW)).text

    def test_a_retry_whose_time_has_long_come_is_red(self):
        late = a_delivery(next_attempt_at=ago(seconds=LATE_SECONDS + 1))
        finding = only(diagnosis.deliveries(OpenDeliveries((late,), partners=(a_partner(),)), NOW))
        assert (finding.ok, "ReleaseDueDeliveries" in finding.advice) == (False, True)

    def test_what_waits_for_a_paused_partner_or_an_open_breaker_is_not_late(self):
        late = a_delivery(next_attempt_at=ago(seconds=LATE_SECONDS + 1), held_by=Hold.PAUSED)
        paused = a_partner(status=Lifecycle.PAUSED, paused_at=NOW, pause_reason=PAUSED_BY_OPERATOR)
        assert only(diagnosis.deliveries(OpenDeliveries((late,), partners=(paused,)), NOW)).ok
        recovering = {"part_1": unwell(breaker=Breaker.RECOVERING, recovered_at=NOW, failures=0, failing_since=None)}
        assert only(diagnosis.deliveries(OpenDeliveries((late,), partners=(a_partner(),), health=recovering), NOW)).ok

    def test_what_waits_for_its_turn_at_the_partners_rate_is_not_late(self):
        backlog = tuple(a_delivery(next_attempt_at=ago(seconds=LATE_SECONDS + 100)) for _ in range(2))
        slow = a_partner(max_per_second="0.01")
        assert only(diagnosis.deliveries(OpenDeliveries(backlog, partners=(slow,)), NOW)).ok
        quicker = a_partner(max_per_second="0.03")
        assert not only(diagnosis.deliveries(OpenDeliveries(backlog, partners=(quicker,)), NOW)).ok

    def test_of_a_backlog_that_was_not_looked_through_nobody_can_tell_what_is_late(self):
        late = a_delivery(next_attempt_at=ago(days=1))
        seen = OpenDeliveries((late,), partners=(a_partner(),), is_all=False)
        assert only(diagnosis.deliveries(seen, NOW)).text == "1 or more being retried"

    @pytest.mark.parametrize(
        ("open_until", "waiting", "outlook"),
        [(times.plus(NOW, minutes=1), (), "open until"), (ago(minutes=1), (a_delivery(),), "about to be sent")],
    )
    def test_an_open_breaker_is_red(self, open_until, waiting, outlook):
        health = {"part_1": unwell(breaker=Breaker.OPEN, open_until=open_until)}
        finding = only(diagnosis.deliveries(OpenDeliveries(waiting, partners=(a_partner(),), health=health), NOW))
        assert (finding.ok, finding.command) == (False, "health")
        assert "breaker is open" in finding.text
        assert outlook in finding.text

    def test_one_whose_time_is_over_and_that_nothing_waits_for_is_no_finding(self):
        health = {"part_1": unwell(breaker=Breaker.OPEN, open_until=ago(minutes=1))}
        assert only(diagnosis.deliveries(OpenDeliveries(partners=(a_partner(),), health=health), NOW)).ok

    @pytest.mark.parametrize("breaker", [Breaker.OPEN, Breaker.CLOSED])
    def test_how_a_paused_partner_was_doing_is_no_finding_here(self, breaker):
        failing = {"failing_since": ago(hours=PAUSE_AFTER_HOURS), "failures": PAUSE_AFTER_ATTEMPTS}
        health = {"part_1": unwell(breaker=breaker, open_until=times.plus(NOW, minutes=1), **failing)}
        paused = a_partner(status=Lifecycle.PAUSED, paused_at=NOW, pause_reason=PAUSED_BY_OPERATOR)
        held = a_delivery(next_attempt_at=ago(days=3), held_by=Hold.PAUSED)
        assert only(diagnosis.deliveries(OpenDeliveries((held,), partners=(paused,), health=health), NOW)).ok

    def test_a_partner_half_way_to_a_pause_is_red_and_one_that_just_began_to_fail_is_not(self):
        half = unwell(failing_since=ago(hours=PAUSE_AFTER_HOURS / 2), failures=PAUSE_AFTER_ATTEMPTS)
        finding = only(diagnosis.deliveries(OpenDeliveries(partners=(a_partner(),), health={"part_1": half}), NOW))
        assert (finding.ok, "50 % of the way" in finding.text) == (False, True)
        assert only(diagnosis.deliveries(OpenDeliveries(partners=(a_partner(),), health={"part_1": unwell()}), NOW)).ok

    def test_the_health_of_who_is_gone_is_no_finding(self):
        seen = OpenDeliveries(health={"part_1": unwell(breaker=Breaker.OPEN)})
        assert only(diagnosis.deliveries(seen, NOW)).ok


class TestQueues:
    def test_empty_and_busy_queues_are_green(self):
        empty = [Queue("ParkedDeliveries", 0, 0, 0), Queue("FailedEvents", 0, 0, 0)]
        assert only(diagnosis.queues(empty)).text == "2 queues are empty"
        busy = only(diagnosis.queues([Queue("FailedDeliveries", 2, 3, 4, oldest_seconds=30)]))
        assert (busy.ok, busy.text) == (True, "FailedDeliveries 9 on their way")

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("ParkedDeliveries", "tried anew"), ("ParkedPostbacks", "redrive"), ("FailedEvents", "sweep")],
    )
    def test_a_message_where_none_should_end_is_red(self, name, hint):
        finding = only(diagnosis.queues([Queue(name, 1, 0, 0)]))
        assert (finding.ok, hint in finding.advice) == (False, True)

    @pytest.mark.parametrize(("name", "seconds"), [("FailedDeliveries", 1800), ("RetryPostbacks", 600)])
    def test_a_message_that_waits_longer_than_its_alarm_allows_is_red(self, name, seconds):
        assert only(diagnosis.queues([Queue(name, 1, 0, 0, oldest_seconds=seconds)])).ok
        assert not only(diagnosis.queues([Queue(name, 1, 0, 0, oldest_seconds=seconds + 1)])).ok

    @pytest.mark.parametrize("name", ["ParkedDeliveries", "FailedEvents", "RetryPostbacks"])
    def test_of_an_empty_queue_the_age_is_old_news(self, name):
        assert only(diagnosis.queues([Queue(name, 0, 0, 0, oldest_seconds=86_400)])).ok

    def test_what_is_taken_from_a_dead_end_has_no_reader_that_could_be_late(self):
        assert only(diagnosis.queues([Queue("ParkedDeliveries", 0, 3, 0, oldest_seconds=86_400)])).ok

    def test_a_message_that_its_reader_has_had_for_too_long_is_red(self):
        finding = only(diagnosis.queues([Queue("RetryPostbacks", 0, 2, 0, oldest_seconds=601)]))
        assert (finding.ok, finding.text) == (False, "RetryPostbacks: 2 messages, the oldest for 10 min")


def test_an_alarm_that_rings_is_red_and_says_what_it_means():
    quiet, loud = Alarm("A", "fine", "OK", NOW), Alarm("B", "Deliveries were given up", "ALARM", NOW)
    assert only(diagnosis.alarms([quiet])).ok
    finding = only(diagnosis.alarms([quiet, loud]))
    assert (finding.ok, "Deliveries were given up" in finding.text) == (False, True)


def test_long_lists_of_names_are_cut_short():
    partners = [a_partner(partner_id=f"p{number}") for number in range(9)]
    assert only(diagnosis.partners(partners)).text == "9 active: p0, p1, p2, p3, p4, p5 and 3 more"


def test_a_finding_as_json_has_the_names_of_the_api():
    red = diagnosis.red("it is broken", "mend it", "health")
    assert red.to_json("reach") == {
        "check": "reach",
        "ok": False,
        "text": "it is broken",
        "advice": "mend it",
        "command": "health",
    }
    assert only(diagnosis.green("fine")).to_json("reach") == {"check": "reach", "ok": True, "text": "fine"}
