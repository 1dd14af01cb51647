"""`ops replay`: process a postback again, or send deliveries to a partner again."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import journal, render
from ops.journal import Journal
from ops.receipts import manager
from ops.stacks import OperatorError, Stack
from ops.story import timeline
from ops.target import Json, Target, Yes, stack_of
from ricochet.delivery.manage_deliveries import DeliverySummary, ManageDeliveries
from ricochet.delivery.replay_deliveries import Replayable, ReplayDeliveries, ReplayReport, ReplayRequest
from ricochet.intake.manage_receipts import replayed
from ricochet.values import times
from ricochet.values.change import Audit
from ricochet.values.inputs import validate
from ricochet.values.lifecycle import Lifecycle

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
    before = manager(stack, Journal(stack)).get(receipt_id)
    if not yes:
        sender = before.source or timeline.UNIDENTIFIED
        render.fields({"received": before.received_at, "from": sender, "outcome": before.outcome}, stderr=as_json)
        render.confirm(f"Process {receipt_id} again?", stderr=as_json)
    with journal.opened(stack) as log:
        reply = replayed(manager(stack, log).replay(receipt_id))
        if as_json:
            render.show_json(reply.to_json())
        else:
            render.print_line(f"{before.outcome} before, {reply.outcome} now")
            render.fields({name: value for name, value in reply.to_json().items() if name != "outcome"})


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
    name = parse_delivery_name(name_parts)
    before = ManageDeliveries(stack.partners, stack.deliveries, Journal(stack)).get(*name)
    if not yes:
        labels = {"partner": before.partner_id, "event": before.notice.status.lead_word}
        labels |= {"state": before.state, "last attempt": timeline.last_attempt(before)}
        render.fields(labels, stderr=as_json)
        render.confirm(f"Send it to {before.partner_id} again?", stderr=as_json)
    with journal.opened(stack) as log:
        after = ManageDeliveries(stack.partners, stack.deliveries, log).replay(*name).after
        if as_json:
            render.show_json(DeliverySummary.from_entity(after).to_json())
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
    with render.progress("counting") as advance:
        counted = _use_case(stack, Journal(stack)).everything(request, advance)
    if not (as_json and (yes or dry_run)):
        _show(counted, stderr=as_json)
        _warn_if_paused(stack, partner, stderr=as_json)
    if not counted.matched or dry_run:
        if as_json:
            render.show_json(counted.to_json())
        return
    if not yes:
        render.confirm(f"Send them to {partner} again?", stderr=as_json)
    with journal.opened(stack) as log:
        with render.progress("replaying", counted.matched) as advance:
            report = _use_case(stack, log).everything(request.with_changes(dry_run=False), advance)
        if as_json:
            render.show_json(report.to_json())
        else:
            render.print_line(f"{report.replayed} are due now and are sent at the partner's rate. To watch them:")
            render.print_line(target.command(f"deliveries --partner {partner} --follow"))


def _use_case(stack: Stack, audit: Audit) -> ReplayDeliveries:
    return ReplayDeliveries(stack.partners, stack.deliveries, stack.conversions, audit)


def _show(counted: ReplayReport, *, stderr: bool) -> None:
    worth = ", ".join(render.money(value, currency) for currency, value in counted.value.items() if value)
    render.fields({"deliveries": counted.matched, "worth": worth or "nothing"}, stderr=stderr)


def _warn_if_paused(stack: Stack, partner_id: str, *, stderr: bool = False) -> None:
    partner = stack.partners.get(partner_id)
    if partner is not None and partner.status is Lifecycle.PAUSED:
        render.warn(f"{partner_id} is paused and receives nothing until it is active", stderr=stderr)
