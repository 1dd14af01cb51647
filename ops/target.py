"""The stack that the command line names, looked up when it is first needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import typer

from ops.stacks import Stack, find

Json = Annotated[
    bool, typer.Option("--json", help="for scripts: print one JSON document, with the key names of the API")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]


@dataclass(frozen=True)
class Target:
    name: str | None
    region: str | None

    @cached_property
    def stack(self) -> Stack:
        return find(self.name, self.region)

    def command(self, arguments: str) -> str:
        """Return the line that calls another command on the same stack."""
        options = (("stack", self.name), ("region", self.region))
        chosen = "".join(f" --{name} {value}" for name, value in options if value)
        return f'make ops ARGS="{arguments}{chosen}"'


def stack_of(ctx: typer.Context) -> Stack:
    target: Target = ctx.obj
    return target.stack
