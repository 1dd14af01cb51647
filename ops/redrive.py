"""`ops redrive`: try parked deliveries again, message by message."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import journal, render
from ops.journal import Journal
from ops.replay import DryRun
from ops.target import Json, Yes, stack_of
from ricochet.delivery.queues import ParkingQueue
from ricochet.delivery.redrive_deliveries import ParkingQueueView, Redriven, RedriveOutcome, RedriveParked

EXPLANATIONS = {
    RedriveOutcome.REPLAYED: "due now, with all their attempts before them",
    RedriveOutcome.RESUMED: "continue where they stopped: our side had failed on them",
    RedriveOutcome.STALE: "were outdated messages: their deliveries had already continued",
    RedriveOutcome.KEPT: "stay in the queue: their partner is archived, or they changed at this moment",
    RedriveOutcome.UNREADABLE: "stay in the queue: they are not messages of ours, look at them in SQS",
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
    waiting = RedriveParked(stack.partners, stack.deliveries, parking, Journal(stack)).count()
    if not (as_json and (yes or dry_run)):
        _show_waiting(waiting, stderr=as_json)
    if dry_run:
        if as_json:
            render.show_json(waiting.to_json())
        return
    wanted = min(limit or waiting.messages, waiting.messages)
    if not wanted:
        _show_result(Redriven(), as_json=as_json)
        return
    if not yes:
        render.confirm(f"Redrive {wanted} messages?", stderr=as_json)
    with journal.opened(stack) as log:
        with render.progress("redriving", wanted) as advance:
            result = RedriveParked(stack.partners, stack.deliveries, parking, log)(wanted, lambda: True, advance)
        _show_result(result, as_json=as_json)


def _show_waiting(waiting: ParkingQueueView, *, stderr: bool) -> None:
    labels = {"messages in the parking queue, about": waiting.messages, "deliveries parked": waiting.parked}
    render.fields(labels, stderr=stderr)
    if waiting.parked > waiting.messages:
        hint = "replay deliveries without a message by partner and time: see replay deliveries --help"
        render.warn(hint, stderr=stderr)


def _show_result(result: Redriven, *, as_json: bool) -> None:
    counts = result.to_json()
    if as_json:
        render.show_json(counts)
    else:
        lines = [(outcome, counts[outcome], text) for outcome, text in EXPLANATIONS.items() if counts[outcome]]
        render.table(("", "", ""), lines, "the queue had no messages")
