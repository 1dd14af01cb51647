"""Operators replay what a partner received or missed in a period; a dry run counts it first."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from ricochet.delivery.deliveries_table import DeliveriesTable, Listing, Position
from ricochet.delivery.delivery import DELIVERIES_KEPT_DAYS, Delivery, DeliveryState
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.transitions import due_delivery, restarted
from ricochet.dynamodb.paging import decode_cursor, encode_cursor
from ricochet.errors import InvalidRequestError, PartnerArchivedError, PartnerNotFoundError
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.conversions_table import ConversionsTable, day_key
from ricochet.ledger.notice import versions_of
from ricochet.values import times
from ricochet.values.change import Audit
from ricochet.values.entity import Model, View
from ricochet.values.inputs import MomentInput
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Amount
from ricochet.values.times import Moment

MAX_REPLAYED = 500
"""One call replays this many or a few more; a dry run counts as many as it has time for."""

SECONDS_BETWEEN_PROGRESS = 1.0

Step = tuple[list[Delivery], dict[str, str]]
"""The deliveries to replay for one row or conversion, and the position to continue from."""


class Replayable(StrEnum):
    PARKED = "parked"
    DELIVERED = "delivered"
    MISSING = "missing"  # never recorded, such as while the partner was paused


class ReplayRequest(Model):
    partner_id: str
    since: Annotated[MomentInput, Field(alias="from")]
    until: Annotated[MomentInput, Field(alias="to")]
    state: Replayable
    dry_run: bool = True
    cursor: str | None = None

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.since > self.until:
            raise ValueError("from must not be after to")
        return self

    @property
    def scope(self) -> str:
        return f"replay:{self.partner_id}:{self.state}:{self.since}:{self.until}"


class ReplayReport(View):
    """How much was found and replayed; `next_cursor` continues where it stopped."""

    dry_run: bool
    matched: int = 0
    value: dict[str, Amount] = {}  # by currency
    replayed: int = 0
    complete: bool = False
    next_cursor: str | None

    def plus(self, later: ReplayReport) -> ReplayReport:
        currencies = {*self.value, *later.value}
        return later.with_changes(
            matched=self.matched + later.matched,
            value={one: self.value.get(one, Decimal(0)) + later.value.get(one, Decimal(0)) for one in currencies},
            replayed=self.replayed + later.replayed,
        )


@dataclass(frozen=True)
class ReplayDeliveries:
    partners: PartnersTable
    deliveries: DeliveriesTable
    conversions: ConversionsTable
    audit: Audit
    clock: Callable[[], Moment] = times.now

    def __call__(self, request: ReplayRequest, has_time: Callable[[], bool]) -> ReplayReport:
        """Make each delivery due at once, at the partner's rate, unless the partner accepted a newer version.

        A repeated call goes on with what is left, but finds deliveries again that were delivered since.

        Raise PartnerNotFoundError, PartnerArchivedError, InvalidCursorError, or InvalidRequestError for a period too
        long ago.
        """
        report = self._replay(request, has_time)
        self._record(request, report)
        return report

    def everything(self, request: ReplayRequest, progress: Callable[[int], None]) -> ReplayReport:
        """Replay in as many parts as it takes; `progress` is called with the number that each part found."""
        report = ReplayReport(dry_run=request.dry_run, next_cursor=request.cursor)
        try:
            while not report.complete:
                part = self._replay(request.with_changes(cursor=report.next_cursor), _time_until_progress())
                report = report.plus(part)
                progress(part.matched)
        finally:  # also when it is interrupted
            self._record(request, report)
        return report

    def _replay(self, request: ReplayRequest, has_time: Callable[[], bool]) -> ReplayReport:
        partner = self._partner(request.partner_id)
        start = decode_cursor(request.scope, request.cursor)
        is_gap = request.state is Replayable.MISSING
        steps = self._missing(partner, request, start) if is_gap else self._recorded(request, start)
        write = self.deliveries.put_first if is_gap else self._restart
        matched, replayed, cursor = 0, 0, None
        value: defaultdict[str, Decimal] = defaultdict(Decimal)
        for found, here in steps:
            for row in found:
                matched += 1
                value[row.notice.currency] += row.value
                replayed += 0 if request.dry_run else write(row)
            if replayed >= MAX_REPLAYED or not has_time():
                cursor = encode_cursor(request.scope, here)
                break
        return ReplayReport(
            dry_run=request.dry_run,
            matched=matched,
            value={currency: amount for currency, amount in value.items() if amount},
            replayed=replayed,
            complete=cursor is None,
            next_cursor=cursor,
        )

    def _record(self, request: ReplayRequest, report: ReplayReport) -> None:
        if not report.dry_run:
            self.audit.record_run("deliveries.replayed", request.partner_id, report.to_json())

    def _partner(self, partner_id: str) -> Partner:
        partner = self.partners.get(partner_id)
        if partner is None:
            raise PartnerNotFoundError
        if partner.status is Lifecycle.ARCHIVED:
            raise PartnerArchivedError
        return partner

    def _recorded(self, request: ReplayRequest, start: dict[str, str] | None) -> Iterator[Step]:
        """Yield the recorded deliveries, oldest first, so that versions are sent in order."""
        listing = Listing(request.partner_id, DeliveryState(request.state), request.since, request.until)
        for row in self.deliveries.walk(listing, Position.from_key(start) if start else None, newest_first=False):
            yield [row] if row in listing and self._is_latest(row) else [], Position.of(row)._asdict()

    def _is_latest(self, row: Delivery) -> bool:
        """Return whether the partner accepted no later version, which would supersede this one."""
        versions = self.deliveries.of_conversion(row.conversion_id)
        mine = [one for one in versions if one.partner_id == row.partner_id]
        return not any(one.version > row.version and one.was_accepted for one in mine)

    def _restart(self, row: Delivery) -> bool:
        return self.deliveries.replace(restarted(row, self.clock()), row)

    def _missing(self, partner: Partner, request: ReplayRequest, start: dict[str, str] | None) -> Iterator[Step]:
        """Yield the missing deliveries by the day of the conversion's last change, which may be after the period."""
        today = self.clock()
        if request.since < times.plus(today, days=-DELIVERIES_KEPT_DAYS):
            detail = f"from: deliveries are kept for {DELIVERIES_KEPT_DAYS} days; older ones look like missing ones"
            raise InvalidRequestError(detail, [detail])
        for conversion in self.conversions.of_days(_days(request.since, today), start):
            rows = self._wanted(partner, conversion, request)
            missing = [row for row in rows if self.deliveries.get(row.conversion_id, row.delivery_key) is None]
            yield missing, day_key(conversion)

    def _wanted(self, partner: Partner, conversion: Conversion, request: ReplayRequest) -> Iterator[Delivery]:
        """Yield a row for each version of the period that the partner's current subscription includes."""
        for version in versions_of(conversion):
            inside = request.since <= version.notice.timestamp <= request.until
            if inside and version.changed_by != partner.actor and partner.is_subscribed(version.notice):
                yield due_delivery(conversion.conversion_id, version, partner, self.clock())


def _days(since: Moment, until: Moment) -> list[str]:
    first, last = times.parse(since).date(), times.parse(until).date()
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def _time_until_progress() -> Callable[[], bool]:
    end = time.monotonic() + SECONDS_BETWEEN_PROGRESS
    return lambda: time.monotonic() < end
