"""`ops deliveries`: who was told what, and what is still to be tried."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

import typer

from ops import render, story
from ops.examine import at_once
from ops.stacks import Stack
from ops.target import Json, stack_of
from ricochet.models.delivery import OPEN_STATES, Delivery, DeliveryState
from ricochet.tables.deliveries import Listing, Position
from ricochet.use_cases.manage_deliveries import shown

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
    """Deliveries and what came of them, newest first: to all partners, or which you say.

    --follow shows each change once, with --json as one document to a line.
    """
    stack, wanted = stack_of(ctx), Wanted(partner, state, conversion, limit)
    if follow:
        _follow(stack, wanted, as_json=as_json)
        return
    rows = found(stack, wanted)
    if as_json:
        render.show_json({"items": [shown(row) for row in rows]})
    else:
        columns = ("created (UTC)", "delivery", "state", "event", "last attempt")
        render.table(columns, map(_cells, rows), "no such delivery")


def found(stack: Stack, wanted: Wanted) -> list[Delivery]:
    """At most so many that fit, the newest first."""
    if wanted.conversion is not None:
        rows = stack.deliveries.of_conversion(wanted.conversion)
        fitting = [row for row in rows if wanted.fits(row)]
    elif wanted.partner is not None or wanted.state in OPEN_STATES:
        fitting = _listed(stack, wanted, wanted.partner)
    else:
        partners = [partner.partner_id for partner in stack.partners.all()]
        lists = at_once(lambda partner_id: _listed(stack, wanted, partner_id), partners)
        fitting = [row for rows in lists for row in rows]
    return sorted(fitting, key=Position.of, reverse=True)[: wanted.limit]


def _listed(stack: Stack, wanted: Wanted, partner_id: str | None) -> list[Delivery]:
    listing = Listing(partner_id, wanted.state)
    rows = stack.deliveries.walk(listing, None, read_at_once=wanted.limit)
    return list(islice((row for row in rows if row in listing), wanted.limit))


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
                typer.echo(json.dumps(shown(row)) if as_json else "  ".join(_cells(row)))
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return


def _cells(row: Delivery) -> tuple[str, ...]:
    return (
        *(render.second(row.created_at), story.name(row), row.state, row.notice.status.lead_word),
        story.briefly(row),
    )
