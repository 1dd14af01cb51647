"""`ops health`: partners in trouble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from ops import examine, render
from ops.facts import OpenDeliveries
from ops.target import Json, stack_of
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import Breaker, PartnerHealth, percent_to_pause
from ricochet.values import times
from ricochet.values.entity import View
from ricochet.values.lifecycle import Lifecycle


class PartnerState(View):
    partner_id: str
    name: str
    status: Lifecycle
    paused_at: str | None = None
    pause_reason: str | None = None


@dataclass(frozen=True)
class Trouble:
    """How one partner is doing, and what waits for it."""

    partner: Partner
    health: PartnerHealth | None
    way_to_pause: int
    retrying: int
    parked: int

    @property
    def is_any(self) -> bool:
        unwell = self.health is not None and (self.health.failures > 0 or self.health.breaker is not Breaker.CLOSED)
        return unwell or self.partner.status is Lifecycle.PAUSED or self.parked > 0

    def to_json(self) -> dict[str, Any]:
        state = self.health.to_json() if self.health else {}
        shown = PartnerState.from_entity(self.partner).to_json()
        waiting = {"wayToPause": self.way_to_pause, "retrying": self.retrying, "parked": self.parked}
        return shown | state | waiting


def health(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Partners that fail, whose breaker is open, that are paused, or that deliveries were given up for."""
    found = examine.deliveries(stack_of(ctx))
    troubled = troubles(found, times.now())
    if as_json:
        render.show_json({"items": [one.to_json() for one in troubled], "isAll": found.is_all})
        return
    columns = ("partner", "status", "failures", "since (UTC)", "breaker", "to a pause", "retrying", "parked", "")
    render.table(columns, map(_cells, troubled), "no partner is in trouble")
    if not found.is_all:
        render.say("there are more open deliveries than were counted", render.DIM)


def troubles(found: OpenDeliveries, moment: str) -> list[Trouble]:
    retrying, parked = _by_partner(found.retrying), _by_partner(found.parked)
    of_all = (
        Trouble(
            partner,
            state := found.health.get(partner.partner_id),
            percent_to_pause(state, moment) if state else 0,
            retrying[partner.partner_id],
            parked[partner.partner_id],
        )
        for partner in sorted(found.partners, key=lambda partner: partner.partner_id)
        if partner.status is not Lifecycle.ARCHIVED
    )
    return [one for one in of_all if one.is_any]


def _by_partner(rows: Iterable[Any]) -> Counter[str]:
    return Counter(row.partner_id for row in rows)


def _cells(one: Trouble) -> tuple[object, ...]:
    state = one.health
    breaker = (
        f"{state.breaker}{f' until {render.second(state.open_until)}' if state.open_until else ''}" if state else ""
    )
    return (
        *(one.partner.partner_id, one.partner.status),
        *((state.failures, render.second(state.failing_since)) if state else (0, "")),
        *(breaker, f"{one.way_to_pause} %", one.retrying, one.parked, one.partner.pause_reason),
    )
