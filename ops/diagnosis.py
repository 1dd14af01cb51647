"""What the facts about a stack mean, and what to do next. Decides everything, looks nothing up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ops import durations
from ops.facts import Alarm, Deployment, OpenDeliveries, Queue, Reach, SourceReceipts, Trigger
from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners.manage_partners import PAUSED_BY_OPERATOR
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import WARNING_PERCENTS, Breaker, PartnerHealth, percent_to_pause
from ricochet.delivery.release_due_deliveries import DEFAULT_RATE
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle

SILENT_DAYS = 7
"""So long nothing may come before that is a finding."""

LATE_SECONDS = 1800
"""So much later than it was due a retry may be: the sweep mends what waits longer."""

QUEUE_SECONDS = 600
RETRY_SECONDS = 1800
"""So long a message may wait to be read, as the alarms have it; one of a retry waits for its time as well."""

NEWS_DAYS = 14
"""How long a parked delivery is a finding; a queue keeps its message as long."""

MOST_NAMED = 6


@dataclass(frozen=True)
class Finding:
    """One line: `ok` is green. `advice` is what to do, `command` a command of ours that helps with it."""

    ok: bool
    text: str
    advice: str = ""
    command: str = ""

    def to_json(self, check: str) -> dict[str, Any]:
        more = {"advice": self.advice, "command": self.command}
        return {"check": check, "ok": self.ok, "text": self.text} | {name: text for name, text in more.items() if text}


def green(text: str) -> list[Finding]:
    return [Finding(ok=True, text=text)]


def red(text: str, advice: str, command: str = "") -> Finding:
    return Finding(ok=False, text=text, advice=advice, command=command)


def deployment(seen: Deployment) -> list[Finding]:
    if seen.api_url is None:
        return [_without_api(seen.status)]
    findings = []
    if not _is_under_way(seen.status) and not _went_through(seen.status):
        advice = "the last deployment did not go through: see the stack's events, mend it and deploy again"
        findings.append(red(f"the stack is {seen.status}", advice))
    if not seen.works:
        advice = "see the log groups /ricochet/<stack>/api and /ricochet/<stack>/track_click; is the API deployed?"
        findings.append(red(f"{seen.api_url} does not answer as it should: {seen.answer}", advice))
    news = ": a deployment is under way" if _is_under_way(seen.status) else ""
    return findings or green(f"{seen.status}{news}, {seen.api_url} answers")


def _without_api(status: str) -> Finding:
    """A stack says what is in it when a deployment of it has gone through once."""
    if _is_under_way(status):
        return Finding(ok=True, text=f"{status}: the first deployment is under way; ask again when it is through")
    if _went_through(status):
        return red(f"the stack is {status} and has no ApiUrl", "is it one of ours? Check --stack and --region")
    advice = "no deployment of it has gone through: see the stack's events, mend it, delete the stack and deploy again"
    return red(f"the stack is {status}", advice)


def _is_under_way(status: str) -> bool:
    """Also while the old parts are cleared away; not what is taken back, deleted or has not been begun."""
    return status.endswith("_IN_PROGRESS") and status.startswith(("CREATE", "UPDATE", "IMPORT")) and _is_forward(status)


def _went_through(status: str) -> bool:
    return status.endswith("_COMPLETE") and _is_forward(status)


def _is_forward(status: str) -> bool:
    return "ROLLBACK" not in status and not status.startswith("DELETE")


def tables(states: dict[str, str]) -> list[Finding]:
    missing = [name for name, state in states.items() if state == "MISSING"]
    if missing:
        return [red(f"not there: {_some(missing)}", "deploy again; a table that was lost is restored from its backup")]
    others = [f"{name} is {state}" for name, state in states.items() if state != "ACTIVE"]
    if others:
        return [red(_some(others), "wait until AWS is through with it; nothing is lost, postbacks wait in their queue")]
    return green(f"{len(states)} tables are ACTIVE")


def triggers(seen: Sequence[Trigger]) -> list[Finding]:
    off = [
        red(f"{one.name} is {one.state}", "enable it in Lambda or EventBridge, unless it changes by itself in a minute")
        for one in seen
        if one.state.upper() != "ENABLED"
    ]
    failing = [
        red(f"{one.name}: {one.result}", "see the function's log group; what fails for good goes to FailedEvents")
        for one in seen
        if one.result.startswith("PROBLEM")
    ]
    return off + failing or green(f"{len(seen)} event sources and schedules are enabled")


def partners(seen: Sequence[Partner]) -> list[Finding]:
    active = [one.partner_id for one in seen if one.status is Lifecycle.ACTIVE]
    given_up = [
        red(
            f"{one.partner_id} was paused at {one.paused_at}: {one.pause_reason}",
            "once its server is well: make it active; what it missed meanwhile can be replayed",
            f"partners edit {one.partner_id} status=active",
        )
        for one in seen
        if one.status is Lifecycle.PAUSED and one.pause_reason != PAUSED_BY_OPERATOR
    ]
    if not active:
        advice = "nobody is told of conversions: create a partner (docs/partners.md), or make one active"
        return [*given_up, red("no partner is active", advice, "partners list")]
    paused = [one.partner_id for one in seen if one.pause_reason == PAUSED_BY_OPERATOR and one.paused_at]
    note = f"; paused by operators: {_some(paused)}" if paused else ""
    return given_up or green(f"{len(active)} active: {_some(active)}{note}")


def reach(seen: Sequence[Reach]) -> list[Finding]:
    return [_unreachable(one) for one in seen if one.error] or green(
        f"{len(seen)} {'place takes' if len(seen) == 1 else 'places take'} connections: {_some(o.target for o in seen)}"
        if seen
        else "there is nobody to be reached"
    )


def _unreachable(one: Reach) -> Finding:
    text = f"{one.target} cannot be reached from here ({one.error}); postbacks to {_some(one.partners)} fail"
    if one.is_demo:
        advice = "these are the demo's own partners: `make start-partners` brings them back; what failed is retried"
    else:
        advice = "ask the partner whether its server is up, or correct its URL; until then all is retried for 70 hours"
    return red(text, advice, f"partners show {one.partners[0]}")


def postbacks(seen: Sequence[SourceReceipts], moment: str) -> list[Finding]:
    if not seen:
        advice = "nobody can report conversions: create a product or a network (docs/advertisers.md, docs/networks.md)"
        return [red("there is no active product and no active network", advice, "products list")]
    refused = [_refused(one) for one in seen if one.refused and not one.accepted]
    last = max((one for one in seen if one.last_at), key=lambda one: one.last_at or "", default=None)
    if last is None:
        advice = "send a test postback; if you expect some, ask the networks which URL they call"
        return [red(f"no postback has come in {SILENT_DAYS} days", advice, "networks list")]
    return refused or green(
        f"the last one came {durations.between(last.last_at or moment, moment)} ago ({last.source})"
    )


def _refused(one: SourceReceipts) -> Finding:
    reasons = ", ".join(f"{number} {outcome}" for outcome, number in Counter(one.refused).most_common())
    kind, _, name = one.source.partition(":")
    return red(
        f"all of the latest postbacks of {one.source} were refused: {reasons}",
        "each receipt says what came and why it was refused; it can be replayed once that is mended",
        f"receipts --{kind} {name}",
    )


def deliveries(seen: OpenDeliveries, moment: str) -> list[Finding]:
    known = {partner.partner_id: partner for partner in seen.partners}
    findings = [*_parked(seen, known, moment), *_late(seen, known, moment), *_unwell(seen, known, moment)]
    if findings:
        return findings
    if not seen.retrying:
        return green("nobody is waiting")
    return green(f"{len(seen.retrying)} {'being retried, all in time' if seen.is_all else 'or more being retried'}")


def _parked(seen: OpenDeliveries, known: dict[str, Partner], moment: str) -> list[Finding]:
    """What was given up lately; older ones are old news, unless there are too many to tell."""
    since = times.plus(moment, days=-NEWS_DAYS)
    given_up: dict[str, list[Delivery]] = defaultdict(list)
    for row in seen.parked:
        if _is_in_use(known.get(row.partner_id)) and (row.updated_at >= since or not seen.is_all):
            given_up[row.partner_id].append(row)
    return [
        red(
            f"given up for {partner_id}: {len(rows)}{'' if seen.is_all else ' or more'} ({_last_words(rows)})",
            "each row says what was tried; once the cause is mended, `redrive` has them tried anew, "
            "or `replay deliveries` those of a partner and a time",
            f"deliveries --partner {partner_id} --state parked",
        )
        for partner_id, rows in given_up.items()
    ]


def _late(seen: OpenDeliveries, known: dict[str, Partner], moment: str) -> list[Finding]:
    """Retries that should be gone by now at their partner's rate, and that nothing holds back.

    Where there are more than were looked at, nobody can tell: the alarms must do.
    """
    if not seen.is_all:
        return []
    overdue = {
        partner_id: times.plus(moment, seconds=-LATE_SECONDS - number / (known[partner_id].rate or DEFAULT_RATE))
        for partner_id, number in Counter(row.partner_id for row in seen.retrying).items()
        if not _is_held_back(known, seen.health, partner_id)
    }
    late = [
        row.next_attempt_at
        for row in seen.retrying
        if row.next_attempt_at and row.next_attempt_at < overdue.get(row.partner_id, "")
    ]
    if not late:
        return []
    text = f"{len(late)} retries are late, the first since {min(late)}"
    return [red(text, "is the schedule ReleaseDueDeliveries running, and the retry queue being read? See its logs")]


def _unwell(seen: OpenDeliveries, known: dict[str, Partner], moment: str) -> Iterable[Finding]:
    """Partners that fail; not those that are paused, who get nothing anyway."""
    waited_for = {row.partner_id for row in seen.retrying}
    for partner_id, one in seen.health.items():
        partner, way = known.get(partner_id), percent_to_pause(one, moment)
        # Where nothing waits and the time is over, the breaker stays open until there is something to be sent.
        is_shut = one.breaker is Breaker.OPEN and (partner_id in waited_for or (one.open_until or "") > moment)
        if partner is None or partner.status is not Lifecycle.ACTIVE or not (is_shut or way >= WARNING_PERCENTS[0]):
            continue
        text = f"{partner_id} has failed {one.failures} times since {one.failing_since}"
        if is_shut and (one.open_until or "") > moment:
            text += f"; its breaker is open until {one.open_until}, then one postback is sent to see"
        elif is_shut:
            text += "; its breaker is open, and one postback is about to be sent to see"
        if way >= WARNING_PERCENTS[0]:
            text += f"; {way} % of the way to being paused"
        yield red(text, "ask the partner whether its server is well; all of its deliveries wait", "health")


def queues(seen: Sequence[Queue]) -> list[Finding]:
    findings = [finding for one in seen if (finding := _queue(one)) is not None]
    busy = [f"{one.name} {one.visible + one.in_flight + one.delayed}" for one in seen if one.visible + one.delayed]
    return findings or green(", ".join(busy) + " on their way" if busy else f"{len(seen)} queues are empty")


def _queue(one: Queue) -> Finding | None:
    """Of what is empty the age says nothing: CloudWatch hears of it minutes later, and a dead end has no reader."""
    if one.name in _DEAD_ENDS:
        text, advice, command = _DEAD_ENDS[one.name]
        return red(f"{one.name}: {one.visible} {text}", advice, command) if one.visible else None
    oldest = (one.oldest_seconds or 0) if one.visible or one.in_flight else 0
    if oldest > (RETRY_SECONDS if one.name == "FailedDeliveries" else QUEUE_SECONDS):
        return red(
            f"{one.name}: {one.visible + one.in_flight} messages, the oldest for {durations.of(oldest)}",
            "its reader does not keep up or fails: see the reader's log group, and whether it is enabled",
        )
    return None


_DEAD_ENDS = {
    "ParkedDeliveries": (
        "deliveries were given up, their partners have not been told",
        "mend the cause, then have them tried anew",
        "redrive",
    ),
    "ParkedPostbacks": (
        "postbacks could not be taken in after five tries",
        "see the log group retry_postbacks; then start the queue's redrive (SQS, Start DLQ redrive)",
        "",
    ),
    "FailedEvents": (
        "stream batches, scheduled runs or partners' words were given up",
        "each message names the function and the error; the hourly sweep finds deliveries that are missing",
        "",
    ),
}


def alarms(seen: Sequence[Alarm]) -> list[Finding]:
    ringing = [
        red(f"{one.name}: {one.description}, since {one.since}", "docs/runbook.md says what to do for each alarm")
        for one in seen
        if one.state == "ALARM"
    ]
    return ringing or green(f"none of {len(seen)} alarms rings")


def _is_in_use(partner: Partner | None) -> bool:
    return partner is not None and partner.status is not Lifecycle.ARCHIVED


def _is_held_back(known: dict[str, Partner], health: dict[str, PartnerHealth], partner_id: str) -> bool:
    partner, state = known.get(partner_id), health.get(partner_id)
    return (
        partner is None
        or partner.status is not Lifecycle.ACTIVE
        or (state is not None and state.breaker is not Breaker.CLOSED)
    )


def _last_words(rows: Iterable[Delivery]) -> str:
    words: Counter[str] = Counter()
    for row in rows:
        last = row.attempts[-1] if row.attempts else None
        words[
            row.detail
            or (last and (f"answered {last.status_code}" if last.status_code else last.failure))
            or "never tried"
        ] += 1
    return ", ".join(word for word, _ in words.most_common(2))


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - MOST_NAMED
    return ", ".join(listed[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
