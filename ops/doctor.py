"""`ops doctor`: is the stack well, and if not, where to begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from ops import diagnosis, examine, render
from ops.diagnosis import Finding
from ops.stacks import Stack, StackNotFoundError
from ops.target import Json, Target
from ricochet.values import times


@dataclass(frozen=True)
class Check:
    name: str
    look: Callable[[Stack], Any]
    judge: Callable[[Any, str], list[Finding]]

    def __call__(self, stack: Stack) -> list[Finding]:
        try:
            return self.judge(self.look(stack), times.now())
        except (ClientError, BotoCoreError) as error:
            advice = "may your credentials do this? A reader's rights on the stack's resources are enough"
            return [diagnosis.red(f"cannot be looked at: {error}", advice)]


def _timeless[F](judge: Callable[[F], list[Finding]]) -> Callable[[F, str], list[Finding]]:
    return lambda facts, _: judge(facts)


CHECKS = (
    Check("stack", examine.deployment, _timeless(diagnosis.deployment)),
    Check("tables", examine.tables, _timeless(diagnosis.tables)),
    Check("triggers", examine.triggers, _timeless(diagnosis.triggers)),
    Check("partners", examine.partners, _timeless(diagnosis.partners)),
    Check("reach", examine.reach, _timeless(diagnosis.reach)),
    Check("postbacks", examine.postbacks, diagnosis.postbacks),
    Check("deliveries", examine.deliveries, diagnosis.deliveries),
    Check("queues", examine.queues, _timeless(diagnosis.queues)),
    Check("alarms", examine.alarms, _timeless(diagnosis.alarms)),
)


def doctor(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Is all well? Green and red lines, each red one with what to do next; exit code 1 if any is red.

    Nothing is changed and no partner is told anything: their servers are only connected to.
    """
    target: Target = ctx.obj
    findings = examined(target)
    if as_json:
        checks = [one.to_json(check) for check, some in findings.items() for one in some]
        render.show_json({"ok": _all_green(findings), "checks": checks})
    else:
        _show(findings, target)
    if not _all_green(findings):
        raise typer.Exit(1)


def examined(target: Target) -> dict[str, list[Finding]]:
    """The findings of each check; there is only one without a stack, and of a stack that has nothing in it yet."""
    try:
        stack = target.stack
    except StackNotFoundError as error:
        return {"stack": [diagnosis.red(error.message, error.advice)]}
    return {check.name: check(stack) for check in (CHECKS if stack.is_deployed else CHECKS[:1])}


def _all_green(findings: dict[str, list[Finding]]) -> bool:
    return all(one.ok for some in findings.values() for one in some)


def _show(findings: dict[str, list[Finding]], target: Target) -> None:
    console = render.console()
    for check, some in findings.items():
        for one in some:
            style, mark = (render.GREEN, "✔") if one.ok else (render.RED, "✘")
            console.print(f"[{style}]{mark}[/] {check:<11} {escape(one.text)}", soft_wrap=True)
            if one.advice:
                console.print(f"  {'':<11} → {escape(one.advice)}", soft_wrap=True)
            if one.command:
                console.print(f"  {'':<11} → {escape(target.command(one.command))}", soft_wrap=True)
    reds = sum(not one.ok for some in findings.values() for one in some)
    console.print(f"\n[{render.RED}]{reds} red[/]" if reds else f"\n[{render.GREEN}]all green[/]")
