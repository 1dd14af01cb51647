"""`ops earnings`: the earnings that wait for a decision."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from ops import journal, render
from ops.listing import every
from ops.stacks import Stack
from ops.story.timeline import Story, summary
from ops.target import Json, Yes, stack_of
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import check_waiting
from ricochet.ledger.earning import Earning
from ricochet.ledger.manage_earnings import ApprovalInput, ManageEarnings, RejectionInput
from ricochet.ledger.settings import DecisionSettings
from ricochet.values.inputs import validate
from ricochet.values.statuses import Status

Conversion = Annotated[str, typer.Argument(metavar="CONVERSION", help="our id, as `earnings list` shows it")]

commands = typer.Typer(no_args_is_help=True, help="Earnings that wait for a decision: list, approve, reject.")


@commands.command("list")
def list_waiting(
    ctx: typer.Context,
    *,
    product: Annotated[str | None, typer.Option(help="only of this product")] = None,
    limit: Annotated[int, typer.Option(help="how many at most", min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """List earnings that wait to be approved, and approved ones that wait for their day; the oldest first."""
    waiting = stack_of(ctx).earnings.waiting
    rows = list(islice(every(lambda *page: waiting(product, *page)), limit))
    if as_json:
        render.show_json({"items": [row.to_json() for row in rows]})
    else:
        columns = ("earned (UTC)", "amount", "why", "user", "conversion")
        render.table(columns, map(_cells, rows), "no earnings are waiting")


@commands.command()
def approve(
    ctx: typer.Context,
    conversion: Conversion,
    *,
    reason: Annotated[str | None, typer.Option(help="why; it is stored with the decision")] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Credit the earning now, even before its day; then credit its referrer and send it to partners."""
    given = validate({"reason": reason}, ApprovalInput)
    _decide(stack_of(ctx), conversion, Status.APPROVED, given.reason, yes=yes, as_json=as_json)


@commands.command()
def reject(
    ctx: typer.Context,
    conversion: Conversion,
    *,
    reason: Annotated[str, typer.Option(help="why; it is stored with the decision")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Cancel the earning: the user gets nothing, and partners that received the conversion receive its rejection."""
    given = validate({"reason": reason}, RejectionInput)
    _decide(stack_of(ctx), conversion, Status.REJECTED, given.reason, yes=yes, as_json=as_json)


def _decide(stack: Stack, conversion_id: str, status: Status, reason: str | None, *, yes: bool, as_json: bool) -> None:
    decisions = DecideConversion.from_settings(stack.dynamodb, stack.settings(DecisionSettings))
    conversion = decisions.conversion(conversion_id)
    user_id, earning_id = conversion.user_id or "", conversion.earning_id or ""
    check_waiting(earning_id, conversion)
    if not yes:
        render.fields(summary(Story(None, conversion)), stderr=as_json)
        render.confirm(f"Mark it {status}?", stderr=as_json)
    with journal.opened(stack) as log:
        manage = ManageEarnings(stack.earnings, decisions, log)
        after = manage.decide(user_id, earning_id, status, reason).after
        if as_json:
            render.show_json(after.to_json())
        else:
            render.print_line(f"{render.money(after.amount, after.currency)} {after.status}, {after.approval_status}")


def _cells(row: Earning) -> tuple[object, ...]:
    until = f" until {render.to_second(row.credit_after)}" if row.credit_after else ""
    why = f"{row.reason}{until}"
    return render.to_second(row.earned_at), render.money(row.amount, row.currency), why, row.user_id, row.conversion_id
