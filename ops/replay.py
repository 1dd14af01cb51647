"""`ops replay`: the same once more, in or out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer

from ops import journal, render, story
from ops.receipts import manager
from ops.stacks import OperatorError, Stack
from ops.target import Json, Target, Yes, stack_of
from ricochet.delivery.manage_deliveries import ManageDeliveries, summary
from ricochet.delivery.replay_deliveries import Replayable, ReplayDeliveries, ReplayReport, ReplayRequest
from ricochet.intake.intake import IntakeReply
from ricochet.intake.manage_receipts import ManageReceipts
from ricochet.ledger.receipt import Receipt
from ricochet.values import times
from ricochet.values.inputs import validate
from ricochet.values.lifecycle import Lifecycle

SLICE_SECONDS = 1.0
"""So long nothing is heard of a long run."""

commands = typer.Typer(
    no_args_is_help=True, help="The same once more: a postback that came in, or what a partner was to be told."
)

DryRun = Annotated[bool, typer.Option("--dry-run", help="only count")]


@commands.command()
def receipt(
    ctx: typer.Context,
    receipt_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Takes a postback in again, vouched for by you: no signature or token is asked for.

    It is judged by the time of its arrival: one whose click had expired by then
    is refused again, and one that came too soon after its click is held.

    One that led to something already is a repeat and changes nothing.
    """
    stack = stack_of(ctx)
    receipts = manager(stack)
    before = receipts.get(receipt_id)
    if not yes:
        told = {"received": before.received_at, "from": before.source or "a stranger", "outcome": before.outcome}
        render.fields(told, stderr=as_json)
        render.confirm(f"Take {receipt_id} in again?", stderr=as_json)
    with journal.opened(stack) as log:
        reply = _taken_in(receipts, before, log)
        if as_json:
            render.show_json({"outcome": reply.outcome} | reply.to_json())
        else:
            render.say(f"{before.outcome} before, {reply.outcome} now")
            render.fields(reply.to_json())


def _taken_in(receipts: ManageReceipts, before: Receipt, log: journal.Journal) -> IntakeReply:
    try:
        return receipts.replay(before)
    finally:  # a refusal is its receipt's new outcome, too
        after = receipts.get(before.receipt_id)
        about = {"click_id": after.click_id, "conversion_id": after.conversion_id}
        log.changed("receipt.replayed", after.receipt_id, before, after, **about)


@commands.command()
def delivery(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="CONVERSION VERSION PARTNER", help="or in one word, as `deliveries` shows it"),
    ],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Has one delivery tried anew: within a minute or two, under the same delivery id, with all its tries before it."""
    stack = stack_of(ctx)
    manage = ManageDeliveries(stack.partners, stack.deliveries)
    named = key_of(words)
    before = manage.get(*named)
    if not yes:
        told = {"partner": before.partner_id, "event": before.notice.status.lead_word}
        render.fields(told | {"state": before.state, "last attempt": story.briefly(before)}, stderr=as_json)
        render.confirm(f"Tell {before.partner_id} anew?", stderr=as_json)
    with journal.opened(stack) as log:
        after = manage.replay(*named)
        about = {name: getattr(after, name) for name in ("delivery_id", "conversion_id", "partner_id")}
        log.changed("delivery.replayed", after.delivery_id, before, after, **about)
        if as_json:
            render.show_json(summary(after))
        else:
            render.say(f"{before.state} before, due now: it goes out within a minute or two")
            _mind_a_pause(stack, after.partner_id)


def key_of(words: list[str]) -> tuple[str, str, str]:
    """Conversion, version and partner, in three words or in one; OperatorError if they are not three."""
    parts = "/".join(words).split("/")
    if len(parts) != 3:
        raise OperatorError("name a conversion, a version and a partner: CONV-01A1FFF8 1 acme, or CONV-01A1FFF8/1/acme")
    return parts[0], parts[1], parts[2]


@commands.command()
def deliveries(
    ctx: typer.Context,
    *,
    partner: Annotated[str, typer.Option(help="whom to tell")],
    state: Annotated[Replayable, typer.Option(help="missing: never recorded, as while the partner was paused")],
    since: Annotated[str, typer.Option("--from", help="such as 2026-11-21 or 2026-11-21T09:30:00Z; in UTC")],
    until: Annotated[str | None, typer.Option("--to", help="the same; now, unless it is said")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Has all of a partner's deliveries of a time and state tried anew, at the partner's rate.

    The time is when they were first recorded; of missing ones, when it happened. They are counted first.
    """
    target: Target = ctx.obj
    stack = target.stack
    asked = {"partnerId": partner, "state": state, "from": since, "to": until or times.now()}
    request = validate(asked, ReplayRequest)
    use_case = ReplayDeliveries(stack.partners, stack.deliveries, stack.conversions)
    counted = ReplayReport(dry_run=True)
    with render.progress("counting") as told:
        run(use_case, request, counted, told)
    if not (as_json and (yes or dry_run)):
        _show(counted, stderr=as_json)
        _mind_a_pause(stack, partner, stderr=as_json)
    if not counted.matched or dry_run:
        if as_json:
            render.show_json(counted.to_json())
        return
    if not yes:
        render.confirm(f"Tell {partner} anew?", stderr=as_json)
    report = ReplayReport(dry_run=False)
    with journal.opened(stack) as log:
        try:
            with render.progress("replaying", counted.matched) as told:
                run(use_case, request.with_changes(dry_run=False), report, told)
        finally:  # where it was broken off, too
            log.ran("deliveries.replayed", partner, report.to_json())
        if as_json:
            render.show_json(report.to_json())
        else:
            render.say(f"{report.replayed} are due now and go out at the partner's rate. To see how they do:")
            render.say(target.command(f"deliveries --partner {partner} --follow"))


def run(use_case: ReplayDeliveries, request: ReplayRequest, total: ReplayReport, told: Callable[[int], None]) -> None:
    """All of it, a slice at a time, which is added to `total`; `told` how much each slice found."""
    total.cursor = ""  # until it is complete
    while total.cursor is not None:
        some = use_case(request.with_changes(cursor=total.cursor or None), _has_time())
        total.matched += some.matched
        total.replayed += some.replayed
        for currency, value in some.value.items():
            total.value[currency] += value
        total.cursor = some.cursor
        told(some.matched)


def _show(counted: ReplayReport, *, stderr: bool) -> None:
    worth = ", ".join(render.money(value, currency) for currency, value in counted.value.items() if value)
    render.fields({"deliveries": counted.matched, "worth": worth or "nothing"}, stderr=stderr)


def _mind_a_pause(stack: Stack, partner_id: str, *, stderr: bool = False) -> None:
    partner = stack.partners.get(partner_id)
    if partner is not None and partner.status is Lifecycle.PAUSED:
        render.mind(f"{partner_id} is paused and told nothing until it is active", stderr=stderr)


def _has_time() -> Callable[[], bool]:
    end = time.monotonic() + SLICE_SECONDS
    return lambda: time.monotonic() < end
