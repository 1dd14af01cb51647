"""`ops replay`: the same once more, in or out."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import journal, render, story
from ops.journal import Journal
from ops.receipts import manager
from ops.stacks import OperatorError, Stack
from ops.target import Json, Target, Yes, stack_of
from ricochet.delivery.manage_deliveries import DeliverySummary, ManageDeliveries
from ricochet.delivery.replay_deliveries import Replayable, ReplayDeliveries, ReplayReport, ReplayRequest
from ricochet.intake.manage_receipts import replayed
from ricochet.values import times
from ricochet.values.change import Audit
from ricochet.values.inputs import validate
from ricochet.values.lifecycle import Lifecycle

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
    before = manager(stack, Journal(stack)).get(receipt_id)
    if not yes:
        told = {"received": before.received_at, "from": before.source or "a stranger", "outcome": before.outcome}
        render.fields(told, stderr=as_json)
        render.confirm(f"Take {receipt_id} in again?", stderr=as_json)
    with journal.opened(stack) as log:
        reply = replayed(manager(stack, log).replay(receipt_id))
        if as_json:
            render.show_json(reply.to_json())
        else:
            render.say(f"{before.outcome} before, {reply.outcome} now")
            render.fields({name: value for name, value in reply.to_json().items() if name != "outcome"})


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
    named = key_of(words)
    before = ManageDeliveries(stack.partners, stack.deliveries, Journal(stack)).get(*named)
    if not yes:
        told = {"partner": before.partner_id, "event": before.notice.status.lead_word}
        render.fields(told | {"state": before.state, "last attempt": story.briefly(before)}, stderr=as_json)
        render.confirm(f"Tell {before.partner_id} anew?", stderr=as_json)
    with journal.opened(stack) as log:
        after = ManageDeliveries(stack.partners, stack.deliveries, log).replay(*named).after
        if as_json:
            render.show_json(DeliverySummary.from_entity(after).to_json())
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
    with render.progress("counting") as told:
        counted = _use_case(stack, Journal(stack)).everything(request, told)
    if not (as_json and (yes or dry_run)):
        _show(counted, stderr=as_json)
        _mind_a_pause(stack, partner, stderr=as_json)
    if not counted.matched or dry_run:
        if as_json:
            render.show_json(counted.to_json())
        return
    if not yes:
        render.confirm(f"Tell {partner} anew?", stderr=as_json)
    with journal.opened(stack) as log:
        with render.progress("replaying", counted.matched) as told:
            report = _use_case(stack, log).everything(request.with_changes(dry_run=False), told)
        if as_json:
            render.show_json(report.to_json())
        else:
            render.say(f"{report.replayed} are due now and go out at the partner's rate. To see how they do:")
            render.say(target.command(f"deliveries --partner {partner} --follow"))


def _use_case(stack: Stack, audit: Audit) -> ReplayDeliveries:
    return ReplayDeliveries(stack.partners, stack.deliveries, stack.conversions, audit)


def _show(counted: ReplayReport, *, stderr: bool) -> None:
    worth = ", ".join(render.money(value, currency) for currency, value in counted.value.items() if value)
    render.fields({"deliveries": counted.matched, "worth": worth or "nothing"}, stderr=stderr)


def _mind_a_pause(stack: Stack, partner_id: str, *, stderr: bool = False) -> None:
    partner = stack.partners.get(partner_id)
    if partner is not None and partner.status is Lifecycle.PAUSED:
        render.mind(f"{partner_id} is paused and told nothing until it is active", stderr=stderr)
