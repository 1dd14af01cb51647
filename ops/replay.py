"""`ops replay`: process a postback again, or send deliveries to a partner again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer

from ops import journal, render
from ops.receipts import manager
from ops.stacks import OperatorError, Stack
from ops.story import timeline
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
"""How often a long run reports its progress."""

commands = typer.Typer(no_args_is_help=True, help="Process a postback again, or send deliveries to a partner again.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="only count")]


@commands.command()
def receipt(
    ctx: typer.Context,
    receipt_id: Annotated[str, typer.Argument(metavar="ID")],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Process a postback again. You vouch for it: its signature or token is not checked.

    It is judged by the time of its arrival: if its click had expired by then, it
    is refused again; if it arrived too soon after its click, it is held.

    A postback that was credited before is a repeat and changes nothing.
    """
    stack = stack_of(ctx)
    receipts = manager(stack)
    before = receipts.get(receipt_id)
    if not yes:
        sender = before.source or timeline.UNIDENTIFIED
        render.fields({"received": before.received_at, "from": sender, "outcome": before.outcome}, stderr=as_json)
        render.confirm(f"Process {receipt_id} again?", stderr=as_json)
    with journal.opened(stack) as log:
        reply = _reprocess(receipts, before, log)
        if as_json:
            render.show_json({"outcome": reply.outcome} | reply.to_json())
        else:
            render.print_line(f"{before.outcome} before, {reply.outcome} now")
            render.fields(reply.to_json())


def _reprocess(receipts: ManageReceipts, before: Receipt, log: journal.Journal) -> IntakeReply:
    try:
        return receipts.replay(before)
    finally:  # a refusal changes the receipt too
        after = receipts.get(before.receipt_id)
        about = {"click_id": after.click_id, "conversion_id": after.conversion_id}
        log.changed("receipt.replayed", after.receipt_id, before, after, **about)


@commands.command()
def delivery(
    ctx: typer.Context,
    name_parts: Annotated[
        list[str],
        typer.Argument(metavar="CONVERSION VERSION PARTNER", help="or the name that `deliveries` shows"),
    ],
    *,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send one delivery again within a minute or two: same delivery id, with all its attempts before it."""
    stack = stack_of(ctx)
    manage = ManageDeliveries(stack.partners, stack.deliveries)
    name = parse_delivery_name(name_parts)
    before = manage.get(*name)
    if not yes:
        labels = {"partner": before.partner_id, "event": before.notice.status.lead_word}
        labels |= {"state": before.state, "last attempt": timeline.last_attempt(before)}
        render.fields(labels, stderr=as_json)
        render.confirm(f"Send it to {before.partner_id} again?", stderr=as_json)
    with journal.opened(stack) as log:
        after = manage.replay(*name)
        about = {field: getattr(after, field) for field in ("delivery_id", "conversion_id", "partner_id")}
        log.changed("delivery.replayed", after.delivery_id, before, after, **about)
        if as_json:
            render.show_json(summary(after))
        else:
            render.print_line(f"{before.state} before, due now: it is sent within a minute or two")
            _warn_if_paused(stack, after.partner_id)


def parse_delivery_name(parts: list[str]) -> tuple[str, str, str]:
    """Return conversion, version and partner, given as three arguments or joined by `/`; raise OperatorError."""
    names = "/".join(parts).split("/")
    if len(names) != 3:
        raise OperatorError("name a conversion, a version and a partner: CONV-01A1FFF8 1 acme, or CONV-01A1FFF8/1/acme")
    return names[0], names[1], names[2]


@commands.command()
def deliveries(
    ctx: typer.Context,
    *,
    partner: Annotated[str, typer.Option(help="the partner to send to")],
    state: Annotated[Replayable, typer.Option(help="missing: never created, for example while the partner was paused")],
    since: Annotated[str, typer.Option("--from", help="such as 2026-11-21 or 2026-11-21T09:30:00Z (UTC)")],
    until: Annotated[str | None, typer.Option("--to", help="in the same form; default: now")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send all of a partner's deliveries in a time span and state again, at the partner's rate.

    The time is when a delivery was created; for missing ones, when the conversion changed. They are counted first.
    """
    target: Target = ctx.obj
    stack = target.stack
    given = {"partnerId": partner, "state": state, "from": since, "to": until or times.now()}
    request = validate(given, ReplayRequest)
    use_case = ReplayDeliveries(stack.partners, stack.deliveries, stack.conversions)
    counted = ReplayReport(dry_run=True)
    with render.progress("counting") as advance:
        run(use_case, request, counted, advance)
    if not (as_json and (yes or dry_run)):
        _show(counted, stderr=as_json)
        _warn_if_paused(stack, partner, stderr=as_json)
    if not counted.matched or dry_run:
        if as_json:
            render.show_json(counted.to_json())
        return
    if not yes:
        render.confirm(f"Send them to {partner} again?", stderr=as_json)
    report = ReplayReport(dry_run=False)
    with journal.opened(stack) as log:
        try:
            with render.progress("replaying", counted.matched) as advance:
                run(use_case, request.with_changes(dry_run=False), report, advance)
        finally:  # also if it was interrupted
            log.ran("deliveries.replayed", partner, report.to_json())
        if as_json:
            render.show_json(report.to_json())
        else:
            render.print_line(f"{report.replayed} are due now and are sent at the partner's rate. To watch them:")
            render.print_line(target.command(f"deliveries --partner {partner} --follow"))


def run(
    use_case: ReplayDeliveries, request: ReplayRequest, total: ReplayReport, advance: Callable[[int], None]
) -> None:
    """Replay everything that matches, slice by slice; add each slice to `total` and report its size to `advance`."""
    total.cursor = ""  # until it is complete
    while total.cursor is not None:
        part = use_case(request.with_changes(cursor=total.cursor or None), _has_time())
        total.matched += part.matched
        total.replayed += part.replayed
        for currency, value in part.value.items():
            total.value[currency] += value
        total.cursor = part.cursor
        advance(part.matched)


def _show(counted: ReplayReport, *, stderr: bool) -> None:
    worth = ", ".join(render.money(value, currency) for currency, value in counted.value.items() if value)
    render.fields({"deliveries": counted.matched, "worth": worth or "nothing"}, stderr=stderr)


def _warn_if_paused(stack: Stack, partner_id: str, *, stderr: bool = False) -> None:
    partner = stack.partners.get(partner_id)
    if partner is not None and partner.status is Lifecycle.PAUSED:
        render.warn(f"{partner_id} is paused and receives nothing until it is active", stderr=stderr)


def _has_time() -> Callable[[], bool]:
    end = time.monotonic() + SLICE_SECONDS
    return lambda: time.monotonic() < end
