"""`ops earnings`: the money that waits for a person."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from ops import journal, render, story
from ops.listing import every
from ops.stacks import Stack
from ops.story import Story
from ops.target import Json, Yes, stack_of
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import check_waiting
from ricochet.ledger.earning import Earning
from ricochet.ledger.manage_earnings import ApprovalInput, ManageEarnings, RejectionInput
from ricochet.ledger.settings import DecisionSettings
from ricochet.values.inputs import validate
from ricochet.values.statuses import Status

Conversion = Annotated[str, typer.Argument(metavar="CONVERSION", help="by our id, as `earnings list` shows it")]

commands = typer.Typer(no_args_is_help=True, help="The money that waits for a person: list, approve, reject.")


@commands.command("list")
def list_waiting(
    ctx: typer.Context,
    *,
    product: Annotated[str | None, typer.Option(help="of this product")] = None,
    limit: Annotated[int, typer.Option(help="how many at most", min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """What waits to be approved or rejected, and what is approved and waits for its day; the longest waiting first."""
    waiting = stack_of(ctx).earnings.waiting
    rows = list(islice(every(lambda *page: waiting(product, *page)), limit))
    if as_json:
        render.show_json({"items": [row.to_json() for row in rows]})
    else:
        columns = ("earned (UTC)", "amount", "why", "user", "conversion")
        render.table(columns, map(_cells, rows), "nothing waits")


@commands.command()
def approve(
    ctx: typer.Context,
    conversion: Conversion,
    *,
    reason: Annotated[str | None, typer.Option(help="why; it is kept with the decision")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Credits it at once, also before its day; partners and the referrer follow."""
    given = validate({"reason": reason}, ApprovalInput)
    _decide(stack_of(ctx), conversion, Status.APPROVED, given.reason, yes=yes, as_json=as_json)


@commands.command()
def reject(
    ctx: typer.Context,
    conversion: Conversion,
    *,
    reason: Annotated[str, typer.Option(help="why; it is kept with the decision")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Cancels it: the user gets nothing, and partners that were told of it are told."""
    given = validate({"reason": reason}, RejectionInput)
    _decide(stack_of(ctx), conversion, Status.REJECTED, given.reason, yes=yes, as_json=as_json)


def _decide(stack: Stack, conversion_id: str, status: Status, reason: str | None, *, yes: bool, as_json: bool) -> None:
    decisions = DecideConversion.from_settings(stack.dynamodb, stack.settings(DecisionSettings))
    conversion = decisions.conversion(conversion_id)
    user_id, earning_id = conversion.user_id or "", conversion.earning_id or ""
    check_waiting(earning_id, conversion)
    if not yes:
        render.fields(story.headline(Story(None, conversion)), stderr=as_json)
        render.confirm(f"Is it {status}?", stderr=as_json)
    with journal.opened(stack) as log:
        manage = ManageEarnings(stack.earnings, decisions, log)
        after = manage.decide(user_id, earning_id, status, reason).after
        if as_json:
            render.show_json(after.to_json())
        else:
            render.say(f"{render.money(after.amount, after.currency)} {after.status}, {after.approval_status}")


def _cells(row: Earning) -> tuple[object, ...]:
    until = f" until {render.second(row.credit_after)}" if row.credit_after else ""
    why = f"{row.reason}{until}"
    return render.second(row.earned_at), render.money(row.amount, row.currency), why, row.user_id, row.conversion_id
