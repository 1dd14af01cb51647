"""`ops redrive`: what was given up is tried anew, message by message."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import journal, render
from ops.journal import Journal
from ops.replay import DryRun
from ops.target import Json, Yes, stack_of
from ricochet.delivery.queues import ParkingQueue
from ricochet.delivery.redrive_deliveries import ParkingQueueView, Redriven, RedriveOutcome, RedriveParked

MEANING = {
    RedriveOutcome.REPLAYED: "due now, with all their tries before them",
    RedriveOutcome.RESUMED: "go on where they were: our own side had failed on them",
    RedriveOutcome.STALE: "had gone on already; their messages were old",
    RedriveOutcome.KEPT: "stay in the queue: their partner is archived, or they were changed in this moment",
    RedriveOutcome.UNREADABLE: "stay in the queue: they are none of ours, look at them in SQS",
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
    parking = ParkingQueue(stack.sqs, stack.output("ParkedDeliveriesQueueUrl"))
    counted = RedriveParked(stack.partners, stack.deliveries, parking, Journal(stack)).count()
    if not (as_json and (yes or dry_run)):
        _show(counted, stderr=as_json)
    if dry_run:
        if as_json:
            render.show_json(counted.to_json())
        return
    wanted = min(limit or counted.messages, counted.messages)
    if wanted and not yes:
        render.confirm(f"Work off {wanted} messages?", stderr=as_json)
    if not wanted:
        _show_result(Redriven(), as_json=as_json)
        return
    with journal.opened(stack) as log:
        with render.progress("working off", wanted) as told:
            result = RedriveParked(stack.partners, stack.deliveries, parking, log)(wanted, lambda: True, told)
        _show_result(result, as_json=as_json)


def _show_result(result: Redriven, *, as_json: bool) -> None:
    counts = result.to_json()
    if as_json:
        render.show_json(counts)
    else:
        lines = [(kind, counts[kind], meaning) for kind, meaning in MEANING.items() if counts[kind]]
        render.table(("", "", ""), lines, "nothing was taken from the queue")


def _show(counted: ParkingQueueView, *, stderr: bool) -> None:
    told = {"messages in the parking queue, about": counted.messages, "deliveries parked": counted.parked}
    render.fields(told, stderr=stderr)
    if counted.parked > counted.messages:
        hint = "deliveries without a message are replayed for each partner and time: replay deliveries --help"
        render.mind(hint, stderr=stderr)
