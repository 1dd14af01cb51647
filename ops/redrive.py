"""`ops redrive`: try parked deliveries again, message by message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from ops import journal, render
from ops.replay import DryRun
from ops.target import Json, Yes, stack_of
from ricochet.delivery.queues import BATCH, ParkingQueue
from ricochet.delivery.redrive_deliveries import Redriven, RedriveParked

EXPLANATIONS = {
    Redriven.REPLAYED: "due now, with all their attempts before them",
    Redriven.RESUMED: "continue where they stopped: our side had failed on them",
    Redriven.STALE: "were outdated messages: their deliveries had already continued",
    Redriven.KEPT: "stay in the queue: their partner is archived, or they changed at this moment",
    Redriven.UNREADABLE: "stay in the queue: they are not messages of ours, look at them in SQS",
}


def redrive(
    ctx: typer.Context,
    *,
    limit: Annotated[int | None, typer.Option(help="how many messages at most; default: all", min=1)] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Empty the parking queue: try deliveries again that were given up, at their partners' rates.

    A message leaves the queue when its delivery is due again. It is safe to repeat this command.
    """
    stack = stack_of(ctx)
    parking = ParkingQueue(stack.sqs, stack.output("ParkedDeliveriesQueueUrl"))
    use_case = RedriveParked(stack.partners, stack.deliveries, parking)
    counts = use_case.count()
    if not (as_json and (yes or dry_run)):
        _show(counts, stderr=as_json)
    if dry_run:
        if as_json:
            render.show_json({"dryRun": True, **counts})
        return
    wanted = min(limit or counts["messages"], counts["messages"])
    if wanted and not yes:
        render.confirm(f"Redrive {wanted} messages?", stderr=as_json)
    totals = dict.fromkeys(["received", *Redriven], 0)
    if wanted:
        with journal.opened(stack) as log:
            try:
                with render.progress("redriving", wanted) as advance:
                    run(use_case, wanted, totals, advance)
            finally:  # also if it was interrupted
                log.ran("deliveries.redriven", "the parking queue", totals)
    if as_json:
        render.show_json({"dryRun": False, **totals})
    else:
        lines = [(outcome, totals[outcome], text) for outcome, text in EXPLANATIONS.items() if totals[outcome]]
        render.table(("", "", ""), lines, "the queue had no messages")


def run(use_case: RedriveParked, wanted: int, totals: dict[str, int], advance: Callable[[int], None]) -> None:
    """Redrive `wanted` messages, or as many as there are; add the outcomes to `totals` batch by batch."""
    while totals["received"] < wanted:
        outcomes = use_case(min(BATCH, wanted - totals["received"]), lambda: True)
        for outcome, count in outcomes.items():
            totals[outcome] += count
        advance(outcomes["received"])
        if not outcomes["received"]:
            break


def _show(counts: dict[str, int], *, stderr: bool) -> None:
    labels = {"messages in the parking queue, about": counts["messages"], "deliveries parked": counts["parked"]}
    render.fields(labels, stderr=stderr)
    if counts["parked"] > counts["messages"]:
        hint = "replay deliveries without a message by partner and time: see replay deliveries --help"
        render.warn(hint, stderr=stderr)
