"""Judge the facts about a stack: what is wrong, and what to do next. This module decides and looks nothing up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ops import durations
from ops.doctor.facts import Alarm, Deployment, Endpoint, OpenDeliveries, Queue, SourceReceipts, Trigger
from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners.manage_partners import PAUSED_BY_OPERATOR
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import WARNING_PERCENTS, Breaker, PartnerHealth, percent_to_pause
from ricochet.delivery.release_due_deliveries import DEFAULT_RATE
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment

SILENT_DAYS = 7
"""How many days without any postback are a finding."""

LATE_SECONDS = 1800
"""How late a retry may be: the sweep repairs what waits longer."""

QUEUE_SECONDS = 600
RETRY_SECONDS = 1800
"""How long a message may wait to be read, as in the alarms; a retry's message also waits for its time."""

RECENT_DAYS = 14
"""How long a parked delivery is a finding; its message stays in the queue as long."""

MAX_NAMES = 6


@dataclass(frozen=True)
class Finding:
    """One line of the doctor. `advice` is what to do next; `command` is a command of ours that helps."""

    ok: bool
    text: str
    advice: str = ""
    command: str = ""

    def to_json(self, check: str) -> dict[str, Any]:
        optional = {"advice": self.advice, "command": self.command}
        return {"check": check, "ok": self.ok, "text": self.text} | {
            key: text for key, text in optional.items() if text
        }


def green(text: str) -> list[Finding]:
    return [Finding(ok=True, text=text)]


def red(text: str, advice: str, command: str = "") -> Finding:
    return Finding(ok=False, text=text, advice=advice, command=command)


def deployment(stack: Deployment) -> list[Finding]:
    if stack.api_url is None:
        return [_without_api(stack.status)]
    findings = []
    if not _is_in_progress(stack.status) and not _has_succeeded(stack.status):
        advice = "the last deployment failed: look at the stack's events, fix the cause and deploy again"
        findings.append(red(f"the stack is {stack.status}", advice))
    if not stack.works:
        advice = "look at the log groups /ricochet/<stack>/api and /ricochet/<stack>/track_click; is the API deployed?"
        findings.append(red(f"{stack.api_url} gives a wrong answer: {stack.answer}", advice))
    note = " (a deployment is in progress)" if _is_in_progress(stack.status) else ""
    return findings or green(f"{stack.status}{note}, {stack.api_url} answers")


def _without_api(status: str) -> Finding:
    """CloudFormation lists what is in a stack only after a deployment has succeeded once."""
    if _is_in_progress(status):
        return Finding(ok=True, text=f"{status}: the first deployment is in progress; try again when it has finished")
    if _has_succeeded(status):
        return red(f"the stack is {status} and has no ApiUrl", "is it a Ricochet stack? Check --stack and --region")
    advice = (
        "no deployment has succeeded yet: look at the stack's events, fix the cause, delete the stack, deploy again"
    )
    return red(f"the stack is {status}", advice)


def _is_in_progress(status: str) -> bool:
    """Include the cleanup after an update; exclude rollbacks, deletions and reviews."""
    is_deployment = status.startswith(("CREATE", "UPDATE", "IMPORT")) and not _is_undone(status)
    return status.endswith("_IN_PROGRESS") and is_deployment


def _has_succeeded(status: str) -> bool:
    return status.endswith("_COMPLETE") and not _is_undone(status)


def _is_undone(status: str) -> bool:
    return "ROLLBACK" in status or status.startswith("DELETE")


def tables(states: dict[str, str]) -> list[Finding]:
    missing = [name for name, state in states.items() if state == "MISSING"]
    if missing:
        return [red(f"missing: {_join(missing)}", "deploy again; restore a lost table from its backup")]
    not_active = [f"{name} is {state}" for name, state in states.items() if state != "ACTIVE"]
    if not_active:
        return [red(_join(not_active), "wait until AWS has finished; nothing is lost, postbacks wait in their queue")]
    return green(f"{len(states)} tables are ACTIVE")


def triggers(found: Sequence[Trigger]) -> list[Finding]:
    disabled = [
        red(f"{trigger.name} is {trigger.state}", "enable it in Lambda or EventBridge if it stays so for a minute")
        for trigger in found
        if trigger.state.upper() != "ENABLED"
    ]
    failing = [
        red(
            f"{trigger.name}: {trigger.last_result}",
            "look at the function's log group; an event that keeps failing goes to FailedEventsQueue",
        )
        for trigger in found
        if trigger.last_result.startswith("PROBLEM")
    ]
    return disabled + failing or green(f"{len(found)} event sources and schedules are enabled")


def partners(found: Sequence[Partner]) -> list[Finding]:
    active = [partner.partner_id for partner in found if partner.status is Lifecycle.ACTIVE]
    paused_by_us = [
        red(
            f"{partner.partner_id} was paused at {partner.paused_at}: {partner.pause_reason}",
            "when its server works again, make it active; then replay what it missed",
            f"partners edit {partner.partner_id} status=active",
        )
        for partner in found
        if partner.status is Lifecycle.PAUSED and partner.pause_reason != PAUSED_BY_OPERATOR
    ]
    if not active:
        advice = "conversions are sent to nobody: create a partner (docs/partners.md), or make one active"
        return [*paused_by_us, red("no partner is active", advice, "partners list")]
    paused = [p.partner_id for p in found if p.pause_reason == PAUSED_BY_OPERATOR and p.paused_at]
    note = f"; paused by operators: {_join(paused)}" if paused else ""
    return paused_by_us or green(f"{len(active)} active: {_join(active)}{note}")


def endpoints(found: Sequence[Endpoint]) -> list[Finding]:
    if not found:
        return green("there is no partner server to connect to")
    accept = "server accepts" if len(found) == 1 else "servers accept"
    return [_unreachable(endpoint) for endpoint in found if endpoint.error] or green(
        f"{len(found)} partner {accept} connections: {_join(endpoint.target for endpoint in found)}"
    )


def _unreachable(endpoint: Endpoint) -> Finding:
    text = f"{endpoint.target} cannot be reached ({endpoint.error}); postbacks to {_join(endpoint.partners)} fail"
    if endpoint.is_demo:
        advice = "this is the demo's own partner server: `make start-partners` starts it; failed postbacks are retried"
    else:
        advice = "ask the partner whether its server is up, or correct its URL; postbacks are retried for 70 hours"
    return red(text, advice, f"partners show {endpoint.partners[0]}")


def postbacks(sources: Sequence[SourceReceipts], now: Moment) -> list[Finding]:
    if not sources:
        advice = "nobody can report conversions: create a product or a network (docs/advertisers.md, docs/networks.md)"
        return [red("there is no active product and no active network", advice, "products list")]
    refused = [_all_refused(source) for source in sources if source.refused and not source.accepted]
    last = max((one for one in sources if one.last_at), key=lambda one: one.last_at or "", default=None)
    if last is None:
        advice = "send a test postback; if you expect real ones, ask the networks which URL they call"
        return [red(f"no postback arrived in {SILENT_DAYS} days", advice, "networks list")]
    return refused or green(f"the last one arrived {durations.between(last.last_at or now, now)} ago ({last.source})")


def _all_refused(source: SourceReceipts) -> Finding:
    reasons = ", ".join(f"{count} {outcome}" for outcome, count in Counter(source.refused).most_common())
    kind, _, name = source.source.partition(":")
    return red(
        f"all recent postbacks of {source.source} were refused: {reasons}",
        "each receipt shows the postback and why it was refused; replay it when the cause is fixed",
        f"receipts --{kind} {name}",
    )


def deliveries(found: OpenDeliveries, now: Moment) -> list[Finding]:
    partners_by_id = {partner.partner_id: partner for partner in found.partners}
    findings = [
        *_parked(found, partners_by_id, now),
        *_late(found, partners_by_id, now),
        *_failing(found, partners_by_id, now),
    ]
    if findings:
        return findings
    if not found.retrying:
        return green("none is waiting")
    return green(f"{len(found.retrying)} {'being retried, all on time' if found.is_all else 'or more being retried'}")


def _parked(found: OpenDeliveries, partners_by_id: dict[str, Partner], now: Moment) -> list[Finding]:
    """Report deliveries that were given up recently; older ones too if not all could be read."""
    since = times.plus(now, days=-RECENT_DAYS)
    given_up: dict[str, list[Delivery]] = defaultdict(list)
    for row in found.parked:
        if _is_in_use(partners_by_id.get(row.partner_id)) and (row.updated_at >= since or not found.is_all):
            given_up[row.partner_id].append(row)
    return [
        red(
            f"given up for {partner_id}: {len(rows)}{'' if found.is_all else ' or more'} ({_main_reasons(rows)})",
            "the list shows each attempt; when the cause is fixed, `redrive` tries them again, "
            "and `replay deliveries` those of one partner and time span",
            f"deliveries --partner {partner_id} --state parked",
        )
        for partner_id, rows in given_up.items()
    ]


def _late(found: OpenDeliveries, partners_by_id: dict[str, Partner], now: Moment) -> list[Finding]:
    """Report retries that should have been sent by now at their partner's rate, with nothing that holds them.

    If not all retries were read, this cannot be computed and is left to the alarms.
    """
    if not found.is_all:
        return []
    due_before = {
        partner_id: times.plus(now, seconds=-LATE_SECONDS - count / (partners_by_id[partner_id].rate or DEFAULT_RATE))
        for partner_id, count in Counter(row.partner_id for row in found.retrying).items()
        if not _is_held_back(partners_by_id, found.health, partner_id)
    }
    late = [
        row.next_attempt_at
        for row in found.retrying
        if row.next_attempt_at and row.next_attempt_at < due_before.get(row.partner_id, "")
    ]
    if not late:
        return []
    text = f"{len(late)} retries are late, the first since {min(late)}"
    return [red(text, "does the schedule ReleaseDueDeliveries run, and is the retry queue read? Look at their logs")]


def _failing(found: OpenDeliveries, partners_by_id: dict[str, Partner], now: Moment) -> Iterator[Finding]:
    """Report active partners that fail; paused ones receive nothing anyway."""
    awaited = {row.partner_id for row in found.retrying}
    for partner_id, health in found.health.items():
        partner, progress = partners_by_id.get(partner_id), percent_to_pause(health, now)
        is_before_test = (health.open_until or "") > now
        # A breaker whose time is over stays open until there is a delivery to send: no finding if none waits.
        is_blocked = health.breaker is Breaker.OPEN and (partner_id in awaited or is_before_test)
        if (
            partner is None
            or partner.status is not Lifecycle.ACTIVE
            or not (is_blocked or progress >= WARNING_PERCENTS[0])
        ):
            continue
        text = f"{partner_id} has failed {health.failures} times since {health.failing_since}"
        if is_blocked and is_before_test:
            text += f"; its breaker is open until {health.open_until}, then one postback is sent as a test"
        elif is_blocked:
            text += "; its breaker is open, and one postback is about to be sent as a test"
        if progress >= WARNING_PERCENTS[0]:
            text += f"; {progress} % of the way to being paused"
        yield red(text, "ask the partner whether its server works; all its deliveries wait", "health")


def queues(found: Sequence[Queue]) -> list[Finding]:
    findings = [finding for queue in found if (finding := _queue(queue)) is not None]
    busy = [f"{queue.name} {_size(queue)}" for queue in found if queue.visible + queue.delayed]
    return findings or green(f"messages in progress: {', '.join(busy)}" if busy else f"{len(found)} queues are empty")


def _size(queue: Queue) -> int:
    return queue.visible + queue.in_flight + queue.delayed


def _queue(queue: Queue) -> Finding | None:
    """Ignore the age of an empty queue: CloudWatch reports it minutes late."""
    if queue.name in _UNREAD_QUEUES:
        text, advice, command = _UNREAD_QUEUES[queue.name]
        return red(f"{queue.name}: {queue.visible} {text}", advice, command) if queue.visible else None
    oldest = (queue.oldest_seconds or 0) if queue.visible or queue.in_flight else 0
    if oldest > (RETRY_SECONDS if queue.name == "FailedDeliveries" else QUEUE_SECONDS):
        return red(
            f"{queue.name}: {queue.visible + queue.in_flight} messages, the oldest for {durations.of(oldest)}",
            "its reader is too slow or fails: look at its log group, and whether its trigger is enabled",
        )
    return None


_UNREAD_QUEUES = {
    "ParkedDeliveries": (
        "deliveries were given up; their partners did not receive them",
        "fix the cause, then try them again",
        "redrive",
    ),
    "ParkedPostbacks": (
        "postbacks could not be processed after five attempts",
        "look at the log group retry_postbacks; then start the queue's redrive (SQS, Start DLQ redrive)",
        "",
    ),
    "FailedEvents": (
        "stream batches, scheduled runs or partners' replies were given up",
        "each message names the function and the error; the hourly sweep finds missing deliveries",
        "",
    ),
}
"""Queues that no function reads: (what a message in it means, advice, command)."""


def alarms(found: Sequence[Alarm]) -> list[Finding]:
    ringing = [
        red(f"{alarm.name}: {alarm.description}, since {alarm.since}", "docs/runbook.md says what to do for each alarm")
        for alarm in found
        if alarm.state == "ALARM"
    ]
    return ringing or green(f"none of {len(found)} alarms is ringing")


def _is_in_use(partner: Partner | None) -> bool:
    return partner is not None and partner.status is not Lifecycle.ARCHIVED


def _is_held_back(partners_by_id: dict[str, Partner], health: dict[str, PartnerHealth], partner_id: str) -> bool:
    partner, state = partners_by_id.get(partner_id), health.get(partner_id)
    return (
        partner is None
        or partner.status is not Lifecycle.ACTIVE
        or (state is not None and state.breaker is not Breaker.CLOSED)
    )


def _main_reasons(rows: Iterable[Delivery]) -> str:
    reasons = Counter(map(_reason, rows))
    return ", ".join(reason for reason, _ in reasons.most_common(2))


def _reason(row: Delivery) -> str:
    if row.detail:
        return row.detail
    if not row.attempts:
        return "never tried"
    last = row.attempts[-1]
    return f"answered {last.status_code}" if last.status_code else last.failure or "never tried"


def _join(names: Iterable[str]) -> str:
    every_name = list(names)
    more = len(every_name) - MAX_NAMES
    return ", ".join(every_name[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
