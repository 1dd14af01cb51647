"""`ops deliveries`: what was sent to partners, and what is still to be retried."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Annotated

import typer

from ops import render
from ops.parallel import run_in_parallel
from ops.stacks import Stack
from ops.story import timeline
from ops.target import Json, stack_of
from ricochet.delivery.deliveries_table import Listing, Position
from ricochet.delivery.delivery import OPEN_STATES, Delivery, DeliveryState, shards_of
from ricochet.values import times

POLL_SECONDS = 2.0

LATE_SECONDS = 120
"""How much later than its creation a delivery may appear in the index: it is written after its first attempt."""


@dataclass(frozen=True)
class Filter:
    """Which deliveries to show, and how many at most."""

    partner: str | None = None
    state: DeliveryState | None = None
    conversion: str | None = None
    limit: int = 20

    def matches(self, row: Delivery) -> bool:
        return self.partner in (None, row.partner_id) and self.state in (None, row.state)


def deliveries(
    ctx: typer.Context,
    *,
    partner: Annotated[str | None, typer.Option(help="only to this partner")] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="only in this state")] = None,
    conversion: Annotated[str | None, typer.Option(help="only of this conversion, by our id")] = None,
    limit: Annotated[
        int, typer.Option(help="how many at most; with --follow, how many to start with", min=1, max=1000)
    ] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="keep showing changes, until Ctrl-C")] = False,
    as_json: Json = False,
) -> None:
    """List deliveries and their last attempts, newest first.

    --follow keeps showing each change once, however old the delivery is.
    With --state, it shows deliveries that enter this state, and what happens
    to them next. With --json, each change is one line.

    It looks every 2 s, less often if very many deliveries are being retried.
    Of two changes in between, it shows only the last one. It does not show an
    older delivery that is replayed and delivered in between.
    """
    stack, wanted = stack_of(ctx), Filter(partner, state, conversion, limit)
    if follow:
        _follow(stack, wanted, as_json=as_json)
        return
    rows = find_deliveries(stack, wanted)
    if as_json:
        render.show_json({"items": [row.to_json() for row in rows]})
    else:
        columns = ("created (UTC)", "delivery", "state", "event", "last attempt")
        render.table(columns, map(_cells, rows), "no deliveries")


def find_deliveries(stack: Stack, wanted: Filter) -> list[Delivery]:
    """Return the newest deliveries that match, at most `wanted.limit`, newest first."""
    if wanted.conversion is not None:
        of_conversion = stack.deliveries.of_conversion(wanted.conversion)
        rows = [row for row in of_conversion if wanted.matches(row)]
    elif wanted.partner is not None or wanted.state in OPEN_STATES:
        rows = _newest(stack, wanted, wanted.partner)
    else:
        partner_ids = [partner.partner_id for partner in stack.partners.all()]
        of_partners = run_in_parallel(lambda partner_id: _newest(stack, wanted, partner_id), partner_ids)
        rows = [row for of_partner in of_partners for row in of_partner]
    return sorted(rows, key=Position.of, reverse=True)[: wanted.limit]


def _newest(stack: Stack, wanted: Filter, partner_id: str | None) -> list[Delivery]:
    listing = Listing(partner_id, wanted.state)
    rows = stack.deliveries.walk(listing, None, read_at_once=wanted.limit)
    return list(islice((row for row in rows if row in listing), wanted.limit))


class Follower:
    """Reports each change of the wanted deliveries once.

    New deliveries are at the end of their partner's index. Older ones change only while they are being retried: all of
    these are read each time, and those that have left the state are looked up.
    """

    def __init__(self, stack: Stack, wanted: Filter) -> None:
        self._stack = stack
        self._wanted = wanted
        self._last_changes: dict[str, str] = {}  # delivery id -> time of its last change that we saw
        self._followed: set[str] = set()
        self._retrying: dict[str, Delivery] = {}
        self._newest = times.now()

    def start(self) -> list[Delivery]:
        """Return the newest deliveries; of all others, only later changes are reported."""
        newest = find_deliveries(self._stack, replace(self._wanted, state=None, limit=1))
        self._newest = newest[0].created_at if newest else times.EARLIEST
        self.changes()
        if self._wanted.state is DeliveryState.PARKED:
            self._changed(self._in_state(DeliveryState.PARKED))
        rows = find_deliveries(self._stack, self._wanted)
        self._changed(rows)
        return sorted(rows, key=_last_change)

    def changes(self) -> list[Delivery]:
        """Return what changed since the last call, the earliest change first."""
        if self._wanted.conversion is not None:
            return self._changed(self._stack.deliveries.of_conversion(self._wanted.conversion))
        retrying = self._in_state(DeliveryState.RETRYING)
        return self._changed([*retrying, *self._no_longer_retrying(retrying), *self._created_lately()])

    def _changed(self, rows: Iterable[Delivery]) -> list[Delivery]:
        """Return the rows that changed since we last saw them; skip older states that an index may still show."""
        changed = []
        for row in sorted(rows, key=_last_change):
            if row.updated_at <= self._last_changes.get(row.delivery_id, ""):
                continue
            self._last_changes[row.delivery_id] = row.updated_at
            self._newest = max(self._newest, row.created_at)
            if row.state is DeliveryState.RETRYING:
                self._retrying[row.delivery_id] = row
            else:
                self._retrying.pop(row.delivery_id, None)
            if self._wanted.matches(row):
                self._followed.add(row.delivery_id)
            if row.delivery_id in self._followed:
                changed.append(row)
        return changed

    def _in_state(self, state: DeliveryState) -> list[Delivery]:
        shards = run_in_parallel(lambda shard: list(self._stack.deliveries.in_state(shard)), shards_of(state))
        return [row for rows in shards for row in rows if self._wanted.partner in (None, row.partner_id)]

    def _no_longer_retrying(self, retrying: Iterable[Delivery]) -> list[Delivery]:
        """Look up the deliveries that were being retried and are not any more."""
        left = self._retrying.keys() - {row.delivery_id for row in retrying}
        before = [self._retrying[delivery_id] for delivery_id in left]
        now = run_in_parallel(lambda row: self._stack.deliveries.get(row.conversion_id, row.delivery_key), before)
        for row_before, row_now in zip(before, now, strict=True):
            if row_now is None:
                del self._retrying[row_before.delivery_id]
        return [row for row in now if row is not None]

    def _created_lately(self) -> list[Delivery]:
        """Return the deliveries after the newest, and from shortly before it: they enter the index out of order."""
        since, partner = times.plus(self._newest, seconds=-LATE_SECONDS), self._wanted.partner
        partner_ids = [one.partner_id for one in self._stack.partners.all()] if partner is None else [partner]
        walk = self._stack.deliveries.walk
        of_partners = run_in_parallel(
            lambda partner_id: list(walk(Listing(partner_id, since=since), None)), partner_ids
        )
        return [row for rows in of_partners for row in rows]


def _last_change(row: Delivery) -> str:
    return row.updated_at


def _follow(stack: Stack, wanted: Filter, *, as_json: bool) -> None:
    follower = Follower(stack, wanted)
    look = follower.start
    try:
        while True:
            started = time.monotonic()
            for row in look():
                typer.echo(json.dumps(row.to_json()) if as_json else "  ".join(_cells(row)))
            look = follower.changes
            time.sleep(max(POLL_SECONDS, time.monotonic() - started))
    except KeyboardInterrupt:
        return


def _cells(row: Delivery) -> tuple[str, ...]:
    created, name = render.to_second(row.created_at), timeline.delivery_name(row)
    return created, name, row.state, row.notice.status.lead_word, timeline.last_attempt(row)
