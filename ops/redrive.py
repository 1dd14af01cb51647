"""`ops redrive`: the parking queue is worked off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.progress import Progress

from ops import render
from ops.stacks import Stack
from ops.target import Json, Yes, stack_of
from ricochet.sender.queues import BATCH, ParkingQueue
from ricochet.use_cases.redrive_deliveries import RedriveDeliveries, Redriven

MEANING = {
    Redriven.REPLAYED: "are due now and will be tried anew",
    Redriven.RESUMED: "go on where they were: our own side had failed on them",
    Redriven.STALE: "had gone on without their message",
    Redriven.KEPT: "stay parked: the partner is archived, or they were changed in the same moment",
    Redriven.UNREADABLE: "stay in the queue: they are none of ours, look at them",
}


def redrive(
    ctx: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only count them")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Has all deliveries in the parking queue tried anew, at their partners' rates. Mend the cause first.

    Stop it whenever you like: each message leaves the queue only once its delivery is written.
    """
    work = _work(stack_of(ctx))
    counted = work.count()
    if not as_json:
        render.say(f"about {counted['messages']} messages; {counted['parked']} deliveries are parked")
    if dry_run:
        if as_json:
            render.show_json({"dryRun": True, **counted})
        return
    if not yes and counted["messages"]:
        render.confirm("Have them all tried anew?")
    outcomes = _with_progress(work, counted["messages"])
    if as_json:
        render.show_json({"dryRun": False, "received": outcomes.total()} | {one: outcomes[one] for one in Redriven})
    else:
        rows = ((outcomes[one], one, meaning) for one, meaning in MEANING.items() if outcomes[one])
        render.table(("deliveries", "", ""), rows, "nothing was there to be tried")


def _work(stack: Stack) -> RedriveDeliveries:
    parking = ParkingQueue(stack.sqs, stack.outputs["ParkedDeliveriesQueueUrl"])
    return RedriveDeliveries(stack.partners, stack.deliveries, parking)


def _with_progress(work: RedriveDeliveries, expected: int) -> Counter[Redriven]:
    outcomes: Counter[Redriven] = Counter()
    with Progress(console=render.console(stderr=True), transient=True) as progress:
        bar = progress.add_task("redriving", total=expected)
        for batch in batches(work, expected):
            outcomes += batch
            progress.update(bar, completed=outcomes.total())
    return outcomes


def batches(work: RedriveDeliveries, expected: int) -> Iterator[Counter[Redriven]]:
    """What became of each batch, until as many were taken as there were: what is kept would come up again and again."""
    left = expected
    while left > 0:
        done = work(min(BATCH, left), lambda: True)
        if not done["received"]:
            return
        left -= done["received"]
        yield Counter({outcome: done[outcome] for outcome in Redriven})
