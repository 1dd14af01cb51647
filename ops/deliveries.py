"""`ops deliveries`: who was told what, and what is still to be tried."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Annotated

import typer

from ops import render, story
from ops.examine import at_once
from ops.stacks import Stack
from ops.target import Json, stack_of
from ricochet.delivery.deliveries_table import Listing, Position
from ricochet.delivery.delivery import OPEN_STATES, Delivery, DeliveryState, shards_of
from ricochet.values import times

POLL_SECONDS = 2.0
BEFORE_ALL = "1970-01-01T00:00:00.000Z"

LATE_SECONDS = 120
"""So long after it was made, at most, a delivery is in the index: it is written when its first attempt is over."""


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
    limit: Annotated[int, typer.Option(help="how many at most; with --follow, to begin with", min=1, max=1000)] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on with what changes, until Ctrl-C")] = False,
    as_json: Json = False,
) -> None:
    """Deliveries and what came of them, newest first: to all partners, or which you say.

    --follow goes on with each change, once, however old the delivery is;
    with --state, with what comes into that state and what becomes of it.

    It looks every 2 s, less often where very many are being retried. Of what
    changes twice in between you see the last, and nothing of an older one that
    is told anew and taken in between. With --json each is one line.
    """
    stack, wanted = stack_of(ctx), Wanted(partner, state, conversion, limit)
    if follow:
        _follow(stack, wanted, as_json=as_json)
        return
    rows = found(stack, wanted)
    if as_json:
        render.show_json({"items": [row.to_json() for row in rows]})
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


class Following:
    """Tells each change of the wanted deliveries once.

    What is new stands at the end of its partner's index, and what is older changes while it is being retried: those
    are looked through each time, and who is gone from among them is looked up.
    """

    def __init__(self, stack: Stack, wanted: Wanted) -> None:
        self._stack = stack
        self._wanted = wanted
        self._seen: dict[str, str] = {}  # delivery id -> its last change that is known
        self._followed: set[str] = set()
        self._retrying: dict[str, Delivery] = {}
        self._newest = times.now()

    def begin(self) -> list[Delivery]:
        """The newest ones; of all others, only what changes from now on is told."""
        newest = found(self._stack, replace(self._wanted, state=None, limit=1))
        self._newest = newest[0].created_at if newest else BEFORE_ALL
        self.changes()
        if self._wanted.state is DeliveryState.PARKED:
            self._take(self._in_state(DeliveryState.PARKED))
        rows = found(self._stack, self._wanted)
        self._take(rows)
        return sorted(rows, key=_last_change)

    def changes(self) -> list[Delivery]:
        """What changed since the last call, the earliest change first."""
        if self._wanted.conversion is not None:
            return self._take(self._stack.deliveries.of_conversion(self._wanted.conversion))
        waiting = self._in_state(DeliveryState.RETRYING)
        return self._take([*waiting, *self._moved_on(waiting), *self._made_lately()])

    def _take(self, rows: Iterable[Delivery]) -> list[Delivery]:
        """Those that are news; an index may still show a row as it was before, which is none."""
        news = []
        for row in sorted(rows, key=_last_change):
            if row.updated_at <= self._seen.get(row.delivery_id, ""):
                continue
            self._seen[row.delivery_id] = row.updated_at
            self._newest = max(self._newest, row.created_at)
            if row.state is DeliveryState.RETRYING:
                self._retrying[row.delivery_id] = row
            else:
                self._retrying.pop(row.delivery_id, None)
            if self._wanted.fits(row):
                self._followed.add(row.delivery_id)
            if row.delivery_id in self._followed:
                news.append(row)
        return news

    def _in_state(self, state: DeliveryState) -> list[Delivery]:
        shards = at_once(lambda shard: list(self._stack.deliveries.in_state(shard)), shards_of(state))
        return [row for rows in shards for row in rows if self._wanted.partner in (None, row.partner_id)]

    def _moved_on(self, waiting: Iterable[Delivery]) -> list[Delivery]:
        """What became of those that were being retried and are not any more."""
        gone = self._retrying.keys() - {row.delivery_id for row in waiting}
        rows = [self._retrying[delivery_id] for delivery_id in gone]
        now = at_once(lambda row: self._stack.deliveries.get(row.conversion_id, row.delivery_key), rows)
        for row, found_now in zip(rows, now, strict=True):
            if found_now is None:
                del self._retrying[row.delivery_id]
        return [row for row in now if row is not None]

    def _made_lately(self) -> list[Delivery]:
        """Those after the newest, and for some time before it, since they do not come into the index in order."""
        since, partner = times.plus(self._newest, seconds=-LATE_SECONDS), self._wanted.partner
        partners = [one.partner_id for one in self._stack.partners.all()] if partner is None else [partner]
        walk = self._stack.deliveries.walk
        lists = at_once(lambda partner_id: list(walk(Listing(partner_id, since=since), None)), partners)
        return [row for rows in lists for row in rows]


def _last_change(row: Delivery) -> str:
    return row.updated_at


def _follow(stack: Stack, wanted: Wanted, *, as_json: bool) -> None:
    following = Following(stack, wanted)
    look = following.begin
    try:
        while True:
            began = time.monotonic()
            for row in look():
                typer.echo(json.dumps(row.to_json()) if as_json else "  ".join(_cells(row)))
            look = following.changes
            time.sleep(max(POLL_SECONDS, time.monotonic() - began))
    except KeyboardInterrupt:
        return


def _cells(row: Delivery) -> tuple[str, ...]:
    return (
        *(render.second(row.created_at), story.name(row), row.state, row.notice.status.lead_word),
        story.briefly(row),
    )
