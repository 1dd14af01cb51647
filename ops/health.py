"""`ops health`: partners that need attention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from ops import render
from ops.doctor import observe
from ops.doctor.facts import OpenDeliveries
from ops.target import Json, stack_of
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import Breaker, PartnerHealth, percent_to_pause
from ricochet.values import times
from ricochet.values.entity import View
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment


class PartnerState(View):
    partner_id: str
    name: str
    status: Lifecycle
    paused_at: str | None = None
    pause_reason: str | None = None


@dataclass(frozen=True)
class PartnerReport:
    """The health of one partner, and how many deliveries wait for it."""

    partner: Partner
    health: PartnerHealth | None
    percent_to_pause: int
    retrying: int
    parked: int

    @property
    def needs_attention(self) -> bool:
        health = self.health
        is_failing = health is not None and (health.failures > 0 or health.breaker is not Breaker.CLOSED)
        return is_failing or self.partner.status is Lifecycle.PAUSED or self.parked > 0

    def to_json(self) -> dict[str, Any]:
        health = self.health.to_json() if self.health else {}
        partner = PartnerState.from_entity(self.partner).to_json()
        waiting = {"wayToPause": self.percent_to_pause, "retrying": self.retrying, "parked": self.parked}
        return partner | health | waiting


def health(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List partners that fail, are paused, have an open breaker, or have deliveries that were given up."""
    found = observe.deliveries(stack_of(ctx))
    reports = partners_needing_attention(found, times.now())
    if as_json:
        render.show_json({"items": [report.to_json() for report in reports], "isAll": found.is_all})
        return
    columns = ("partner", "status", "failures", "since (UTC)", "breaker", "to a pause", "retrying", "parked", "")
    render.table(columns, map(_cells, reports), "all partners are healthy")
    if not found.is_all:
        render.print_line("there are more open deliveries than were counted", render.DIM)


def partners_needing_attention(found: OpenDeliveries, now: Moment) -> list[PartnerReport]:
    retrying, parked = _by_partner(found.retrying), _by_partner(found.parked)
    reports = (
        PartnerReport(
            partner,
            health := found.health.get(partner.partner_id),
            percent_to_pause(health, now) if health else 0,
            retrying[partner.partner_id],
            parked[partner.partner_id],
        )
        for partner in sorted(found.partners, key=lambda partner: partner.partner_id)
        if partner.status is not Lifecycle.ARCHIVED
    )
    return [report for report in reports if report.needs_attention]


def _by_partner(rows: Iterable[Any]) -> Counter[str]:
    return Counter(row.partner_id for row in rows)


def _cells(report: PartnerReport) -> tuple[object, ...]:
    health, partner = report.health, report.partner
    until = f" until {render.to_second(health.open_until)}" if health and health.open_until else ""
    return (
        *(partner.partner_id, partner.status),
        *((health.failures, render.to_second(health.failing_since)) if health else (0, "")),
        *(f"{health.breaker}{until}" if health else "", f"{report.percent_to_pause} %"),
        *(report.retrying, report.parked, partner.pause_reason),
    )
