"""The doctor judges the facts about a stack: green or red, with the right next step."""

import pytest

from ops.doctor import judge
from ops.doctor.command import run_checks
from ops.doctor.facts import Alarm, Deployment, Endpoint, OpenDeliveries, Queue, SourceReceipts, Trigger
from ops.doctor.judge import LATE_SECONDS, RECENT_DAYS, SILENT_DAYS
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


def failing_health(**changes) -> PartnerHealth:
    fields = {"kind": PARTNER, "subject": "part_1", "updated_at": NOW, "ttl": 0, "failures": 6, "failing_since": NOW}
    return PartnerHealth(**fields | changes)


def parked(**changes):
    return a_delivery(state=DeliveryState.PARKED, attempts=(an_attempt(500),)).with_changes(
        **{"updated_at": ago(hours=1)} | changes
    )


class TestDeployment:
    def test_complete_stack_that_answers_is_green(self):
        seen = Deployment("UPDATE_COMPLETE", "https://api.example", "404: ...", works=True)
        assert only(judge.deployment(seen)).ok

    @pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"])
    def test_deployment_in_progress_is_green_and_mentioned(self, status):
        finding = only(judge.deployment(Deployment(status, "https://api.example", "", works=True)))
        assert (finding.ok, f"{status} (a deployment is in progress)" in finding.text) == (True, True)
        broken = only(judge.deployment(Deployment(status, "https://api.example", "502: no", works=False)))
        assert (broken.ok, "502: no" in broken.text) == (False, True)

    def test_first_deployment_in_progress_is_green_without_asking_the_api(self):
        finding = only(judge.deployment(Deployment("CREATE_IN_PROGRESS", None)))
        assert (finding.ok, "the first deployment is in progress" in finding.text) == (True, True)

    @pytest.mark.parametrize(
        ("status", "hint"),
        [
            *((status, "deploy again") for status in ("ROLLBACK_COMPLETE", "ROLLBACK_IN_PROGRESS", "CREATE_FAILED")),
            *((status, "deploy again") for status in ("DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")),
            ("CREATE_COMPLETE", "a Ricochet stack"),
        ],
    )
    def test_stack_without_an_api_is_judged_by_its_status_alone(self, status, hint):
        finding = only(judge.deployment(Deployment(status, None)))
        assert (finding.ok, status in finding.text, hint in finding.advice) == (False, True, True)

    @pytest.mark.parametrize(
        "status",
        ["UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"],
    )
    def test_failed_deployment_is_red(self, status):
        finding = only(judge.deployment(Deployment(status, "https://api.example", "", works=True)))
        assert not finding.ok
        assert status in finding.text

    def test_wrong_answer_of_the_api_is_red_and_shown(self):
        finding = only(judge.deployment(Deployment("CREATE_COMPLETE", "https://api.example", "502: no", works=False)))
        assert (finding.ok, "502: no" in finding.text) == (False, True)

    def test_doctor_checks_nothing_else_in_a_stack_without_outputs(self):
        target = Target("s", "eu-west-1")
        target.__dict__["stack"] = Stack("s", "ROLLBACK_COMPLETE", {}, {}, session=None)
        ((check, findings),) = run_checks(target).items()
        assert (check, only(findings).ok) == ("stack", False)
        assert "ROLLBACK_COMPLETE" in only(findings).text


class TestTables:
    def test_active_tables_are_green(self):
        assert only(judge.tables({"Clicks": "ACTIVE", "Users": "ACTIVE"})).text == "2 tables are ACTIVE"

    def test_inactive_tables_are_named_and_missing_ones_come_first(self):
        assert "Users is UPDATING" in only(judge.tables({"Clicks": "ACTIVE", "Users": "UPDATING"})).text
        lost = only(judge.tables({"Clicks": "MISSING", "Users": "UPDATING"}))
        assert (lost.text, "backup" in lost.advice) == ("missing: Clicks", True)


class TestTriggers:
    def test_enabled_triggers_are_green_in_either_spelling(self):
        seen = [Trigger("Records", "Enabled", "OK - 1 records"), Trigger("EachMinute", "ENABLED")]
        assert only(judge.triggers(seen)).ok

    def test_disabled_trigger_and_failing_function_are_red(self):
        disabled, failing = judge.triggers(
            [Trigger("Records", "Disabled"), Trigger("Messages", "Enabled", "PROBLEM: Function call failed")]
        )
        assert (disabled.ok, disabled.text) == (False, "Records is Disabled")
        assert (failing.ok, "Function call failed" in failing.text) == (False, True)


class TestPartners:
    def test_no_active_partner_is_red(self):
        finding = only(judge.partners([a_partner(status=Lifecycle.ARCHIVED)]))
        assert (finding.ok, finding.command) == (False, "partners list")

    def test_partner_paused_by_an_operator_is_green_and_mentioned(self):
        paused = a_partner(
            partner_id="resting", status=Lifecycle.PAUSED, paused_at=NOW, pause_reason=PAUSED_BY_OPERATOR
        )
        finding = only(judge.partners([a_partner(), paused]))
        assert (finding.ok, finding.text) == (True, "1 active: part_1; paused by operators: resting")

    def test_partner_paused_by_us_is_red_with_the_reason_and_the_next_step(self):
        paused = a_partner(partner_id="broken", status=Lifecycle.PAUSED, paused_at=NOW, pause_reason="410 Gone twice")
        finding = only(judge.partners([a_partner(), paused]))
        assert (finding.ok, finding.command) == (False, "partners edit broken status=active")
        assert "410 Gone twice" in finding.text


class TestEndpoints:
    def test_servers_that_accept_connections_are_green(self):
        assert only(judge.endpoints([Endpoint("a.example:443", ("part_1",))])).ok

    def test_unreachable_server_is_red_and_names_all_its_partners(self):
        finding = only(judge.endpoints([Endpoint("a.example:443", ("one", "two"), "connection refused")]))
        assert "a.example:443" in finding.text
        assert "connection refused" in finding.text
        assert "one, two" in finding.text
        assert "ask the partner" in finding.advice
        assert finding.command == "partners show one"

    def test_unreachable_demo_server_names_the_command_that_starts_it(self):
        finding = only(judge.endpoints([Endpoint("127.0.0.1:1", ("demo-get",), "connection refused", is_demo=True)]))
        assert "make start-partners" in finding.advice

    def test_no_servers_at_all_is_green(self):
        assert only(judge.endpoints([])).ok


class TestPostbacks:
    def test_age_and_source_of_the_last_postback_are_shown(self):
        seen = [SourceReceipts("product:a", ago(minutes=5), accepted=1), SourceReceipts("network:b", ago(hours=5), 1)]
        finding = only(judge.postbacks(seen, NOW))
        assert (finding.ok, finding.text) == (True, "the last one arrived 5 min ago (product:a)")

    def test_no_active_source_is_red(self):
        assert "create a product or a network" in only(judge.postbacks([], NOW)).advice

    def test_silence_of_all_sources_is_red(self):
        finding = only(judge.postbacks([SourceReceipts("product:a")], NOW))
        assert (finding.ok, str(SILENT_DAYS) in finding.text) == (False, True)

    def test_source_whose_postbacks_are_all_refused_is_red_with_its_receipts(self):
        refused = SourceReceipts("network:b", NOW, refused={"postback_not_authenticated": 3, "unknown_status": 4})
        finding = only(judge.postbacks([SourceReceipts("product:a", NOW, 1), refused], NOW))
        assert (finding.ok, finding.command) == (False, "receipts --network b")
        assert finding.text.endswith("4 unknown_status, 3 postback_not_authenticated")

    def test_refusals_beside_accepted_postbacks_are_green(self):
        seen = [SourceReceipts("product:a", NOW, accepted=1, refused={"postback_not_authenticated": 9})]
        assert only(judge.postbacks(seen, NOW)).ok


class TestDeliveries:
    def test_no_open_deliveries_is_green(self):
        assert only(judge.deliveries(OpenDeliveries(), NOW)).text == "none is waiting"

    def test_retries_that_are_on_time_are_green(self):
        retried = a_delivery(next_attempt_at=times.plus(NOW, hours=1))
        finding = only(judge.deliveries(OpenDeliveries((retried,), partners=(a_partner(),)), NOW))
        assert (finding.ok, finding.text) == (True, "1 being retried, all on time")

    def test_parked_deliveries_are_red_for_each_partner_with_the_main_reason(self):
        other = parked(
            partner_id="part_2",
            attempts=(
                an_attempt(None, error="ConnectionError: ConnectionRefusedError", error_kind="ConnectionRefusedError"),
            ),
        )
        seen = OpenDeliveries(
            parked=(parked(), parked(), other), partners=(a_partner(), a_partner(partner_id="part_2"))
        )
        first, second = judge.deliveries(seen, NOW)
        assert (first.ok, first.text) == (False, "given up for part_1: 2 (answered 500)")
        assert (second.ok, second.text) == (False, "given up for part_2: 1 (ConnectionRefusedError)")
        assert first.command == "deliveries --partner part_1 --state parked"

    def test_parked_deliveries_that_are_old_or_of_an_archived_partner_are_ignored(self):
        old = parked(updated_at=ago(days=RECENT_DAYS + 1))
        assert only(judge.deliveries(OpenDeliveries(parked=(old,), partners=(a_partner(),)), NOW)).ok
        archived = OpenDeliveries(parked=(parked(),), partners=(a_partner(status=Lifecycle.ARCHIVED),))
        assert only(judge.deliveries(archived, NOW)).ok

    def test_old_parked_deliveries_count_if_not_all_could_be_read(self):
        old = parked(updated_at=ago(days=RECENT_DAYS + 1))
        seen = OpenDeliveries(parked=(old,), partners=(a_partner(),), is_all=False)
        assert "1 or more" in only(judge.deliveries(seen, NOW)).text

    def test_late_retry_is_red(self):
        late = a_delivery(next_attempt_at=ago(seconds=LATE_SECONDS + 1))
        finding = only(judge.deliveries(OpenDeliveries((late,), partners=(a_partner(),)), NOW))
        assert (finding.ok, "ReleaseDueDeliveries" in finding.advice) == (False, True)

    def test_retries_held_by_a_pause_or_a_breaker_are_not_late(self):
        late = a_delivery(next_attempt_at=ago(seconds=LATE_SECONDS + 1), held_by=Hold.PAUSED)
        paused = a_partner(status=Lifecycle.PAUSED, paused_at=NOW, pause_reason=PAUSED_BY_OPERATOR)
        assert only(judge.deliveries(OpenDeliveries((late,), partners=(paused,)), NOW)).ok
        recovering = {
            "part_1": failing_health(breaker=Breaker.RECOVERING, recovered_at=NOW, failures=0, failing_since=None)
        }
        assert only(judge.deliveries(OpenDeliveries((late,), partners=(a_partner(),), health=recovering), NOW)).ok

    def test_retries_that_wait_for_the_partners_rate_are_not_late(self):
        backlog = tuple(a_delivery(next_attempt_at=ago(seconds=LATE_SECONDS + 100)) for _ in range(2))
        slow = a_partner(max_per_second="0.01")
        assert only(judge.deliveries(OpenDeliveries(backlog, partners=(slow,)), NOW)).ok
        quicker = a_partner(max_per_second="0.03")
        assert not only(judge.deliveries(OpenDeliveries(backlog, partners=(quicker,)), NOW)).ok

    def test_lateness_is_not_judged_if_not_all_retries_were_read(self):
        late = a_delivery(next_attempt_at=ago(days=1))
        seen = OpenDeliveries((late,), partners=(a_partner(),), is_all=False)
        assert only(judge.deliveries(seen, NOW)).text == "1 or more being retried"

    @pytest.mark.parametrize(
        ("open_until", "waiting", "outlook"),
        [(times.plus(NOW, minutes=1), (), "open until"), (ago(minutes=1), (a_delivery(),), "about to be sent")],
    )
    def test_open_breaker_is_red(self, open_until, waiting, outlook):
        health = {"part_1": failing_health(breaker=Breaker.OPEN, open_until=open_until)}
        finding = only(judge.deliveries(OpenDeliveries(waiting, partners=(a_partner(),), health=health), NOW))
        assert (finding.ok, finding.command) == (False, "health")
        assert "breaker is open" in finding.text
        assert outlook in finding.text

    def test_breaker_whose_time_is_over_is_green_if_no_delivery_waits(self):
        health = {"part_1": failing_health(breaker=Breaker.OPEN, open_until=ago(minutes=1))}
        assert only(judge.deliveries(OpenDeliveries(partners=(a_partner(),), health=health), NOW)).ok

    @pytest.mark.parametrize("breaker", [Breaker.OPEN, Breaker.CLOSED])
    def test_health_of_a_paused_partner_is_ignored(self, breaker):
        failing = {"failing_since": ago(hours=PAUSE_AFTER_HOURS), "failures": PAUSE_AFTER_ATTEMPTS}
        health = {"part_1": failing_health(breaker=breaker, open_until=times.plus(NOW, minutes=1), **failing)}
        paused = a_partner(status=Lifecycle.PAUSED, paused_at=NOW, pause_reason=PAUSED_BY_OPERATOR)
        held = a_delivery(next_attempt_at=ago(days=3), held_by=Hold.PAUSED)
        assert only(judge.deliveries(OpenDeliveries((held,), partners=(paused,), health=health), NOW)).ok

    def test_partner_half_way_to_a_pause_is_red_and_one_that_just_started_failing_is_not(self):
        half = failing_health(failing_since=ago(hours=PAUSE_AFTER_HOURS / 2), failures=PAUSE_AFTER_ATTEMPTS)
        finding = only(judge.deliveries(OpenDeliveries(partners=(a_partner(),), health={"part_1": half}), NOW))
        assert (finding.ok, "50 % of the way" in finding.text) == (False, True)
        assert only(
            judge.deliveries(OpenDeliveries(partners=(a_partner(),), health={"part_1": failing_health()}), NOW)
        ).ok

    def test_health_of_a_deleted_partner_is_ignored(self):
        seen = OpenDeliveries(health={"part_1": failing_health(breaker=Breaker.OPEN)})
        assert only(judge.deliveries(seen, NOW)).ok


class TestQueues:
    def test_empty_and_busy_queues_are_green(self):
        empty = [Queue("ParkedDeliveries", 0, 0, 0), Queue("FailedEvents", 0, 0, 0)]
        assert only(judge.queues(empty)).text == "2 queues are empty"
        busy = only(judge.queues([Queue("FailedDeliveries", 2, 3, 4, oldest_seconds=30)]))
        assert (busy.ok, busy.text) == (True, "messages in progress: FailedDeliveries 9")

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("ParkedDeliveries", "try them again"), ("ParkedPostbacks", "redrive"), ("FailedEvents", "sweep")],
    )
    def test_message_in_an_unread_queue_is_red(self, name, hint):
        finding = only(judge.queues([Queue(name, 1, 0, 0)]))
        assert (finding.ok, hint in finding.advice) == (False, True)

    @pytest.mark.parametrize(("name", "seconds"), [("FailedDeliveries", 1800), ("RetryPostbacks", 600)])
    def test_message_that_waits_longer_than_its_alarm_allows_is_red(self, name, seconds):
        assert only(judge.queues([Queue(name, 1, 0, 0, oldest_seconds=seconds)])).ok
        assert not only(judge.queues([Queue(name, 1, 0, 0, oldest_seconds=seconds + 1)])).ok

    @pytest.mark.parametrize("name", ["ParkedDeliveries", "FailedEvents", "RetryPostbacks"])
    def test_age_of_an_empty_queue_is_ignored(self, name):
        assert only(judge.queues([Queue(name, 0, 0, 0, oldest_seconds=86_400)])).ok

    def test_messages_in_flight_in_an_unread_queue_are_not_late(self):
        assert only(judge.queues([Queue("ParkedDeliveries", 0, 3, 0, oldest_seconds=86_400)])).ok

    def test_message_that_its_reader_holds_for_too_long_is_red(self):
        finding = only(judge.queues([Queue("RetryPostbacks", 0, 2, 0, oldest_seconds=601)]))
        assert (finding.ok, finding.text) == (False, "RetryPostbacks: 2 messages, the oldest for 10 min")


def test_ringing_alarm_is_red_with_its_description():
    quiet, loud = Alarm("A", "fine", "OK", NOW), Alarm("B", "Deliveries were given up", "ALARM", NOW)
    assert only(judge.alarms([quiet])).ok
    finding = only(judge.alarms([quiet, loud]))
    assert (finding.ok, "Deliveries were given up" in finding.text) == (False, True)


def test_long_lists_of_names_are_shortened():
    partners = [a_partner(partner_id=f"p{number}") for number in range(9)]
    assert only(judge.partners(partners)).text == "9 active: p0, p1, p2, p3, p4, p5 and 3 more"


def test_json_of_a_finding_has_its_documented_keys():
    red = judge.red("it is broken", "fix it", "health")
    assert red.to_json("reach") == {
        "check": "reach",
        "ok": False,
        "text": "it is broken",
        "advice": "fix it",
        "command": "health",
    }
    assert only(judge.green("fine")).to_json("reach") == {"check": "reach", "ok": True, "text": "fine"}
