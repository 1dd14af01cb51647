"""`ops replay`: the same once more, in or out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer

from ops import render, story
from ops.receipts import manager
from ops.stacks import OperatorError, Stack
from ops.target import Json, Target, Yes, stack_of
from ricochet.models import times
from ricochet.models.product import Lifecycle
from ricochet.models.validation import validate
from ricochet.use_cases.manage_deliveries import ManageDeliveries, summary
from ricochet.use_cases.replay_deliveries import Replayable, ReplayDeliveries, ReplayReport, ReplayRequest

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
    """Takes a postback in again, vouched for by you: no signature or token is asked for; it credits as if it came now.

    One that led to something already is a repeat and changes nothing.
    """
    receipts = manager(stack_of(ctx))
    before = receipts.get(receipt_id)
    if not yes:
        render.fields(
            {"received": before.received_at, "from": before.source or "a stranger", "outcome": before.outcome}
        )
        render.confirm(f"Take {receipt_id} in again?")
    reply = receipts.replay(before)
    if as_json:
        render.show_json({"outcome": reply.outcome} | reply.to_json())
    else:
        render.say(f"{before.outcome} before, {reply.outcome} now")
        render.fields(reply.to_json())


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
        render.fields(told | {"state": before.state, "last attempt": story.briefly(before)})
        render.confirm(f"Tell {before.partner_id} anew?")
    after = manage.replay(*named)
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
    with render.progress("counting") as told:
        counted = run(use_case, request, told)
    if not as_json:
        _show(counted)
        _mind_a_pause(stack, partner)
    report = counted
    if counted.matched and not dry_run:
        if not yes:
            render.confirm(f"Tell {partner} anew?")
        with render.progress("replaying", counted.matched) as told:
            report = run(use_case, request.with_changes(dry_run=False), told)
    if as_json:
        render.show_json(report.to_json())
    elif not report.dry_run:
        render.say(f"{report.replayed} are due now and go out at the partner's rate. To see how they do:")
        render.say(target.command(f"deliveries --partner {partner} --follow"))


def run(use_case: ReplayDeliveries, request: ReplayRequest, told: Callable[[int], None]) -> ReplayReport:
    """All of it, a slice at a time; `told` how much each slice found."""
    total = ReplayReport(request.dry_run)
    while True:
        some = use_case(request, _has_time())
        total.matched += some.matched
        total.replayed += some.replayed
        for currency, value in some.value.items():
            total.value[currency] += value
        told(some.matched)
        if some.cursor is None:
            return total
        request = request.with_changes(cursor=some.cursor)


def _show(counted: ReplayReport) -> None:
    worth = ", ".join(render.money(value, currency) for currency, value in counted.value.items() if value)
    render.fields({"deliveries": counted.matched, "worth": worth or "nothing"})


def _mind_a_pause(stack: Stack, partner_id: str) -> None:
    partner = stack.partners.get(partner_id)
    if partner is not None and partner.status is Lifecycle.PAUSED:
        render.mind(f"{partner_id} is paused and told nothing until it is active")


def _has_time() -> Callable[[], bool]:
    end = time.monotonic() + SLICE_SECONDS
    return lambda: time.monotonic() < end
