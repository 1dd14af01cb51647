"""The command line as a whole: which stack, and which command."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup

from ops import catalog, conversion, deliveries, doctor, earnings, health, receipts, redrive, render, replay, user
from ops.stacks import OperatorError
from ops.target import Target
from ricochet.errors import RicochetError

FIRST = ("--stack", "--region")
"""May stand anywhere in the line, also after the command."""


class Commands(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, first(args))

    def invoke(self, ctx: Any) -> Any:
        """What an operator can mend, and what AWS refuses, is said in a line instead of a traceback."""
        try:
            return super().invoke(ctx)
        except RicochetError as error:
            render.complain("\n".join(dict.fromkeys([error.message, *error.details])))
        except (OperatorError, ClientError, BotoCoreError) as error:
            render.complain(str(error))
        raise typer.Exit(1)


def first(args: list[str]) -> list[str]:
    """The words with the options that choose the stack before everything else."""
    chosen: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        name, equals, _ = word.partition("=")
        if name not in FIRST:
            rest.append(word)
        elif equals:
            chosen.append(word)
        else:
            chosen += [word, *(value for value in [next(words, None)] if value is not None)]
    return chosen + rest


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main(
    ctx: typer.Context,
    *,
    stack: Annotated[str | None, typer.Option(help="a stack on AWS; without it the local one of `make up`")] = None,
    region: Annotated[str | None, typer.Option(help="where that stack is, unless your profile says")] = None,
) -> None:
    """Looks at a Ricochet stack and sets it right: on AWS with your own credentials, or the local one.

    --stack and --region may stand anywhere in the line. Whatever writes asks first, unless --yes is given.
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
