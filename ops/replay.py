"""`ops replay`: the same once more."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer

from ops import render, story
from ops.receipts import manager
from ops.stacks import OperatorError, Stack
from ops.target import Json, Yes, stack_of
from ricochet.models.validation import validate
from ricochet.use_cases.manage_deliveries import ManageDeliveries, shown
from ricochet.use_cases.replay_deliveries import Replayable, ReplayDeliveries, ReplayReport, ReplayRequest

commands = typer.Typer(
    no_args_is_help=True, help="The same once more: a postback that came in, a delivery, or a partner's deliveries."
)


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
        source = before.source or "a stranger"
        render.fields({"received": before.received_at, "from": source, "outcome": before.outcome})
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
    conversion_id: Annotated[str, typer.Argument(metavar="CONVERSION")],
    partner_id: Annotated[str, typer.Argument(metavar="PARTNER")],
    *,
    version: Annotated[int | None, typer.Option(help="of the conversion; the latest unless it is said", min=1)] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Has one delivery that is over, well or not, tried anew from the next minute on, under its old id."""
    stack = stack_of(ctx)
    wanted = str(version or _latest(stack, conversion_id, partner_id))
    deliveries = ManageDeliveries(stack.partners, stack.deliveries)
    before = deliveries.get(conversion_id, wanted, partner_id)
    if not yes:
        word = before.notice.status.lead_word
        render.fields({"state": before.state, "event": word, "last": story.briefly(before)})
        render.confirm(f"Tell {partner_id} of version {wanted} once more?")
    after = deliveries.replay(conversion_id, wanted, partner_id)
    if as_json:
        render.show_json(shown(after))
    else:
        render.say(f"{before.state} before, {after.state} now; it is due at {after.due_at}")


def _latest(stack: Stack, conversion_id: str, partner_id: str) -> int:
    rows = stack.deliveries.of_conversion(conversion_id)
    versions = [row.version for row in rows if row.partner_id == partner_id]
    if not versions:
        raise OperatorError(f"{partner_id} was never to be told of {conversion_id}")
    return max(versions)


@commands.command()
def partner(
    ctx: typer.Context,
    partner_id: Annotated[str, typer.Argument(metavar="PARTNER")],
    *,
    state: Annotated[Replayable, typer.Option(help="which; missing: what it was never told, as while it was paused")],
    since: Annotated[str, typer.Option("--from", help="a day or a time, in UTC unless it says otherwise")],
    until: Annotated[str, typer.Option("--to", help="likewise")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Has all that a partner was told, or was not, in a time sent to it once more, at its own rate; counts it first."""
    stack = stack_of(ctx)
    fields = {"partnerId": partner_id, "from": since, "to": until, "state": state}
    counted = _replayed(stack, fields | {"dryRun": True})
    if not as_json:
        render.say(f"found {counted['matched']}, worth {_worth(counted['value'])}")
    if dry_run or not counted["matched"]:
        if as_json:
            render.show_json(counted)
        return
    if not yes:
        render.confirm(f"Send them all to {partner_id} once more?")
    done = _replayed(stack, fields | {"dryRun": False})
    if as_json:
        render.show_json(done)
    else:
        render.say(f"{done['replayed']} of them are due now")


def _replayed(stack: Stack, fields: dict[str, Any]) -> dict[str, Any]:
    """What the use case reports, all of its calls added up: one call replays only so many."""
    replay = ReplayDeliveries(stack.partners, stack.deliveries, stack.conversions)
    total = ReplayReport(bool(fields["dryRun"]))
    while True:
        report = replay(validate(fields | {"cursor": total.cursor}, ReplayRequest), lambda: True)
        total.matched += report.matched
        total.replayed += report.replayed
        for currency, amount in report.value.items():
            total.value[currency] += amount
        total.cursor = report.cursor
        if total.cursor is None:
            return total.to_json()


def _worth(value: dict[str, Decimal]) -> str:
    return ", ".join(render.money(amount, currency) for currency, amount in value.items()) or "nothing by itself"
