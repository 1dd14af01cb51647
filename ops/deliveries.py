"""`ops deliveries`: who was told what, and what is still to be tried."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

import typer

from ops import render, story
from ops.examine import at_once
from ops.stacks import Stack
from ops.target import Json, stack_of
from ricochet.models.delivery import OPEN_STATES, Delivery, DeliveryState, shards_of

POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Wanted:
    """Which deliveries, and how many at most."""

    partner: str | None = None
    state: DeliveryState | None = None
    conversion: str | None = None
    limit: int = 20

    def fits(self, row: Delivery) -> bool:
        return self.partner in (None, row.partner_id) and self.state in (None, row.state)


def deliveries(
    ctx: typer.Context,
    *,
    partner: Annotated[str | None, typer.Option(help="to this partner")] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="only those in this state")] = None,
    conversion: Annotated[str | None, typer.Option(help="of this conversion, by our id")] = None,
    limit: Annotated[int, typer.Option(help="how many at most", min=1, max=1000)] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what changes, until Ctrl-C")] = False,
    as_json: Json = False,
) -> None:
    """Deliveries, newest first; those that are retried or parked the longest waiting first.

    --follow shows each change once, with --json as one document to a line.
    """
    stack, wanted = stack_of(ctx), Wanted(partner, state, conversion, limit)
    if follow:
        _follow(stack, wanted, as_json=as_json)
        return
    rows = found(stack, wanted)
    if as_json:
        render.show_json({"items": [story.shown(row) for row in rows]})
    else:
        columns = ("created (UTC)", "delivery", "state", "event", "last attempt")
        render.table(columns, map(_cells, rows), "no such delivery")


def found(stack: Stack, wanted: Wanted) -> list[Delivery]:
    if wanted.conversion is not None:
        lists = [stack.deliveries.of_conversion(wanted.conversion)]
    elif wanted.state in OPEN_STATES:
        lists = _from_shards(stack.deliveries.in_state, shards_of(str(wanted.state)), wanted)
    else:
        partners = [wanted.partner] if wanted.partner else [one.partner_id for one in stack.partners.all()]
        lists = _from_shards(stack.deliveries.of_partner, [s for one in partners for s in shards_of(one)], wanted)
    rows = [row for rows in lists for row in rows if wanted.fits(row)]
    return sorted(rows, key=lambda row: row.created_at, reverse=wanted.state not in OPEN_STATES)[: wanted.limit]


def _from_shards(read: Callable[[str], Iterator[Delivery]], shards: list[str], wanted: Wanted) -> list[list[Delivery]]:
    return at_once(lambda shard: list(islice(filter(wanted.fits, read(shard)), wanted.limit)), shards)


def changes(stack: Stack, wanted: Wanted, known: dict[str, Delivery]) -> list[Delivery]:
    """What is new or another than `known`, which is brought up to date; the earliest change first."""
    rows = {row.delivery_id: row for row in found(stack, wanted)}
    unsettled = [row for row in known.values() if row.delivery_id not in rows and not row.state.is_terminal]
    again = at_once(lambda row: stack.deliveries.get(row.conversion_id, row.delivery_key), unsettled)
    rows |= {row.delivery_id: row for row in again if row is not None}
    changed = [row for row in rows.values() if known.get(row.delivery_id) != row]
    known |= rows
    return sorted(changed, key=lambda row: row.updated_at)


def _follow(stack: Stack, wanted: Wanted, *, as_json: bool) -> None:
    known: dict[str, Delivery] = {}
    try:
        while True:
            for row in changes(stack, wanted, known):
                typer.echo(json.dumps(story.shown(row)) if as_json else "  ".join(_cells(row)))
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _cells(row: Delivery) -> tuple[str, ...]:
    return (
        *(render.second(row.created_at), story.name(row), row.state, row.notice.status.lead_word),
        story.briefly(row),
    )
