"""`ops doctor`: is the stack healthy, and if not, where to start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

from ops import render
from ops.doctor import judge, observe
from ops.doctor.judge import Finding
from ops.stacks import Stack, StackNotFoundError
from ops.target import Json, Target
from ricochet.values import times
from ricochet.values.times import Moment


@dataclass(frozen=True)
class Check:
    name: str
    observe: Callable[[Stack], Any]
    judge: Callable[[Any, Moment], list[Finding]]

    def run(self, stack: Stack) -> list[Finding]:
        try:
            return self.judge(self.observe(stack), times.now())
        except (ClientError, BotoCoreError) as error:
            advice = "check your credentials: they need read access to the stack's resources"
            return [judge.red(f"this check failed: {error}", advice)]


def _ignoring_time[F](judge_facts: Callable[[F], list[Finding]]) -> Callable[[F, str], list[Finding]]:
    return lambda facts, _: judge_facts(facts)


CHECKS = (
    Check("stack", observe.deployment, _ignoring_time(judge.deployment)),
    Check("tables", observe.tables, _ignoring_time(judge.tables)),
    Check("triggers", observe.triggers, _ignoring_time(judge.triggers)),
    Check("partners", observe.partners, _ignoring_time(judge.partners)),
    Check("reach", observe.endpoints, _ignoring_time(judge.endpoints)),
    Check("postbacks", observe.postbacks, judge.postbacks),
    Check("deliveries", observe.deliveries, judge.deliveries),
    Check("queues", observe.queues, _ignoring_time(judge.queues)),
    Check("alarms", observe.alarms, _ignoring_time(judge.alarms)),
)


def doctor(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Check the stack. Each red line comes with a next step; the exit code is 1 if any line is red.

    It changes nothing and sends nothing to partners: it only opens connections to their servers.
    """
    target: Target = ctx.obj
    findings = run_checks(target)
    if as_json:
        checks = [finding.to_json(check) for check, found in findings.items() for finding in found]
        render.show_json({"ok": _all_green(findings), "checks": checks})
    else:
        _show(findings, target)
    if not _all_green(findings):
        raise typer.Exit(1)


def run_checks(target: Target) -> dict[str, list[Finding]]:
    """Return the findings of each check; only of the first one if the stack is missing or not deployed yet."""
    try:
        stack = target.stack
    except StackNotFoundError as error:
        return {"stack": [judge.red(error.message, error.advice)]}
    return {check.name: check.run(stack) for check in (CHECKS if stack.is_deployed else CHECKS[:1])}


def _all_green(findings: dict[str, list[Finding]]) -> bool:
    return all(finding.ok for found in findings.values() for finding in found)


def _show(findings: dict[str, list[Finding]], target: Target) -> None:
    console = render.console()
    for check, found in findings.items():
        for finding in found:
            style, mark = (render.GREEN, "✔") if finding.ok else (render.RED, "✘")
            console.print(f"[{style}]{mark}[/] {check:<11} {escape(finding.text)}", soft_wrap=True)
            if finding.advice:
                console.print(f"  {'':<11} → {escape(finding.advice)}", soft_wrap=True)
            if finding.command:
                console.print(f"  {'':<11} → {escape(target.command(finding.command))}", soft_wrap=True)
    reds = sum(not finding.ok for found in findings.values() for finding in found)
    console.print(f"\n[{render.RED}]{reds} red[/]" if reds else f"\n[{render.GREEN}]all green[/]")
