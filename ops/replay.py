"""`ops replay`: the same once more."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import render
from ops.receipts import manager
from ops.target import Json, Yes, stack_of

commands = typer.Typer(no_args_is_help=True, help="The same once more: a postback that came in.")


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
