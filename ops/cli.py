"""The command line: which stack, and which command."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup

from ops import catalog, conversion, deliveries, earnings, health, receipts, redrive, render, replay, user
from ops.doctor import command as doctor
from ops.stacks import OperatorError
from ops.target import Target
from ricochet.errors import RicochetError

STACK_OPTIONS = ("--stack", "--region")
"""Options that may stand anywhere in the line, also after the command."""


class Commands(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, stack_options_first(args))

    def invoke(self, ctx: Any) -> Any:
        """Show what the operator can fix, and what AWS refuses, as one line instead of a traceback."""
        try:
            return super().invoke(ctx)
        except RicochetError as error:
            render.error("\n".join(dict.fromkeys([error.message, *error.details])))
        except (OperatorError, ClientError, BotoCoreError) as error:
            render.error(str(error))
        raise typer.Exit(1)


def stack_options_first(args: list[str]) -> list[str]:
    """Return the arguments with the options that choose the stack before all others."""
    options: list[str] = []
    rest: list[str] = []
    remaining = iter(args)
    for argument in remaining:
        name, equals, _ = argument.partition("=")
        if name not in STACK_OPTIONS:
            rest.append(argument)
        elif equals:
            options.append(argument)
        else:
            options += [argument, *(value for value in [next(remaining, None)] if value is not None)]
    return options + rest


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main(
    ctx: typer.Context,
    *,
    stack: Annotated[str | None, typer.Option(help="a stack on AWS; without it, the local one of `make up`")] = None,
    region: Annotated[str | None, typer.Option(help="its region, unless your profile names it")] = None,
) -> None:
    """Inspect and operate a Ricochet stack: the local one, or one on AWS with your own credentials.

    --stack and --region may stand anywhere in the line.
    Commands ask before they change anything; --yes skips the question.
    """
    ctx.obj = Target(stack, region)


app.command("doctor")(doctor.doctor)
app.command("conversion")(conversion.conversion)
app.command("receipts")(receipts.receipts)
app.command("deliveries")(deliveries.deliveries)
app.command("user")(user.user)
app.command("health")(health.health)
for kind in catalog.KINDS:
    app.add_typer(catalog.group(kind), name=kind.name)
app.add_typer(earnings.commands, name="earnings")
app.add_typer(replay.commands, name="replay")
app.command("redrive")(redrive.redrive)
