"""The stack that a command line named, found when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import typer

from ops.stacks import Stack, find

Json = Annotated[bool, typer.Option("--json", help="for scripts: one JSON document, the keys named as in the API")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do it without asking")]


@dataclass(frozen=True)
class Target:
    name: str | None
    region: str | None

    @cached_property
    def stack(self) -> Stack:
        return find(self.name, self.region)

    def command(self, words: str) -> str:
        """How to call another command on the same stack."""
        chosen = "".join(
            f" --{name} {value}" for name, value in (("stack", self.name), ("region", self.region)) if value
        )
        return f'make ops ARGS="{words}{chosen}"'


def stack_of(ctx: typer.Context) -> Stack:
    target: Target = ctx.obj
    return target.stack
