"""`ops redrive`: what was given up is tried anew, message by message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Annotated

import typer

from ops import render
from ops.replay import DryRun
from ops.target import Json, Yes, stack_of
from ricochet.sender.queues import BATCH, ParkingQueue
from ricochet.use_cases.redrive_deliveries import RedriveDeliveries, Redriven

MEANING = {
    Redriven.REPLAYED: "due now, with all their tries before them",
    Redriven.RESUMED: "go on where they were: our own side had failed on them",
    Redriven.STALE: "had gone on already; their messages were old",
    Redriven.KEPT: "stay in the queue: their partner is archived, or they were changed in this moment",
    Redriven.UNREADABLE: "stay in the queue: they are none of ours, look at them in SQS",
}


def redrive(
    ctx: typer.Context,
    *,
    limit: Annotated[
        int | None, typer.Option(help="how many messages at most; all that were counted, unless it is said", min=1)
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Works off the parking queue: has deliveries tried anew that were given up, at their partners' rates.

    A message leaves the queue when its delivery is due again. To repeat it does no harm.
    """
    stack = stack_of(ctx)
    parking = ParkingQueue(stack.sqs, stack.outputs["ParkedDeliveriesQueueUrl"])
    use_case = RedriveDeliveries(stack.partners, stack.deliveries, parking)
    counted = use_case.count()
    if not as_json:
        _show(counted)
    if dry_run:
        outcomes = counted
    else:
        wanted = min(limit or counted["messages"], counted["messages"])
        if wanted and not yes:
            render.confirm(f"Work off {wanted} messages?")
        with render.progress("working off", wanted) as told:
            outcomes = run(use_case, wanted, told)
    if as_json:
        render.show_json({"dryRun": dry_run, **outcomes})
    elif not dry_run:
        lines = [(kind, outcomes[kind], meaning) for kind, meaning in MEANING.items() if outcomes[kind]]
        render.table(("", "", ""), lines, "nothing was taken from the queue")


def run(use_case: RedriveDeliveries, wanted: int, told: Callable[[int], None]) -> dict[str, int]:
    """What became of so many messages, or of as many as there are; `told` of each few."""
    total: Counter[str] = Counter(received=0)
    while total["received"] < wanted:
        some = use_case(min(BATCH, wanted - total["received"]), lambda: True)
        total.update(some)
        told(some["received"])
        if not some["received"]:
            break
    return {"received": total["received"]} | {kind: total[kind] for kind in Redriven}


def _show(counted: dict[str, int]) -> None:
    render.fields({"messages in the parking queue, about": counted["messages"], "deliveries parked": counted["parked"]})
    if counted["parked"] > counted["messages"]:
        render.mind("deliveries without a message are replayed for each partner and time: replay deliveries --help")
