"""Put the story of a conversion into lines: what happened, and when. This module looks nothing up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from ops import durations
from ops.render import money, to_millisecond
from ricochet.clicks.click import Click
from ricochet.delivery.delivery import Delivery
from ricochet.http.attempt import Attempt
from ricochet.intake.manage_receipts import ReceiptSummary
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import Earning
from ricochet.ledger.receipt import Receipt

RECEIPT_KINDS = {"operator": "decision", "partner": "reply"}
"""What a receipt records, by the kind of its source; a postback for all other sources."""

UNIDENTIFIED = "unidentified sender"


@dataclass(frozen=True)
class Story:
    """Everything that was recorded about one conversion, or about a click without one."""

    click: Click | None
    conversion: Conversion | None = None
    receipts: tuple[Receipt, ...] = ()
    earnings: tuple[Earning, ...] = ()
    referrer_id: str | None = None
    commissions: tuple[Earning, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True)
class Event:
    """One line of a story."""

    at: str
    kind: str
    text: str


def summary(story: Story) -> dict[str, str]:
    """Return what the conversion is now, as labels and texts."""
    conversion = story.conversion
    if conversion is None:
        return {"conversion": "none: this click has no conversion"}
    currency = conversion.currency
    known_as = {
        "transaction": conversion.transaction_id,
        "their id": conversion.source_conversion_id,
        "event": conversion.event,
    }
    names = ", ".join(f"{label} {name}" for label, name in known_as.items() if name)
    held = f", held: {conversion.hold_reason}" if conversion.hold_reason else ""
    until = to_millisecond(conversion.credit_after)
    owed = f", {money(conversion.owed, currency)} owed until {until}" if conversion.owed else ""
    amounts = f"{money(conversion.amount, currency)} reported, {money(conversion.credited, currency)} credited now"
    return {
        "conversion": conversion.conversion_id + (f" ({names})" if names else ""),
        "status": f"{conversion.status}, version {conversion.version}{held}",
        "source": conversion.source,
        "user": conversion.user_id or "none: it names no click of ours",
        "money": amounts + owed,
    }


def events(story: Story) -> list[Event]:
    """Return the events of a story, the earliest first."""
    unordered = [
        *_click(story.click),
        *map(_receipt, story.receipts),
        *_versions(story.conversion),
        *(_earning(row, "earning", row.type) for row in story.earnings),
        *(_earning(row, "commission", f"to {row.user_id}") for row in story.commissions),
        *map(_delivery, story.deliveries),
    ]
    return sorted(unordered, key=lambda event: event.at)


def to_json(story: Story) -> dict[str, Any]:
    return {
        "conversion": story.conversion.to_json() if story.conversion else None,
        "click": story.click.to_json() if story.click else None,
        "receipts": [ReceiptSummary.from_entity(receipt).to_json() for receipt in story.receipts],
        "earnings": [row.to_json() for row in story.earnings],
        "referrerId": story.referrer_id,
        "commissions": [row.to_json() for row in story.commissions],
        "deliveries": [row.to_json() for row in story.deliveries],
    }


def delivery_name(row: Delivery) -> str:
    """Return the name by which commands accept a delivery: conversion, version and partner."""
    return f"{row.conversion_id}/{row.version}/{row.partner_id}"


def _click(click: Click | None) -> Iterator[Event]:
    if click is None:
        return
    offer = f", offer {click.offer_id}" if click.offer_id else ""
    yield Event(click.created_at, "click", f"{click.click_id} on {click.product_id}{offer} by {click.user_id}")
    if click.first_visit_at:
        yield Event(click.first_visit_at, "visit", f"the first of {click.visits}")


def _receipt(receipt: Receipt) -> Event:
    kind = RECEIPT_KINDS.get((receipt.source or "").partition(":")[0], "postback")
    reason = f": {receipt.detail}" if receipt.detail else ""
    text = f"{receipt.outcome}{reason} ({receipt.source or UNIDENTIFIED}, {receipt.receipt_id})"
    return Event(receipt.received_at, kind, text)


def _versions(conversion: Conversion | None) -> Iterator[Event]:
    if conversion is None:
        return
    for version in (*conversion.versions, conversion.as_past):
        changed_by = f" by {version.changed_by}" if version.changed_by else ""
        amount = money(version.amount, conversion.currency)
        text = f'{version.status}, "{version.source_status}", {amount}{changed_by}'
        yield Event(version.at, f"version {version.version}", text)


def _earning(row: Earning, kind: str, detail: str) -> Event:
    reason = f", {row.reason}" if row.reason else ""
    sign = "+" if row.amount > 0 else ""
    text = f"{sign}{money(row.amount, row.currency)} {row.status} ({detail}{reason}, {row.earning_id})"
    return Event(row.earned_at, kind, text)


def _delivery(row: Delivery) -> Event:
    event = row.notice.status.lead_word
    text = f"version {row.version} ({event}) {row.state}: {all_attempts(row) or 'not tried yet'}"
    return Event(row.created_at, row.partner_id, text + _next_step(row))


def last_attempt(row: Delivery) -> str:
    """Return the last attempt of a delivery and its next step, such as `attempt 3: 500 (6 ms); next at …`."""
    if not row.attempts:
        return "not tried yet" + _next_step(row)
    number = f"attempt {row.attempt_count}: " if row.attempt_count > 1 else ""
    return number + _attempt(row.attempts[-1]) + _next_step(row)


def _next_step(row: Delivery) -> str:
    parts = (
        f"held: {row.held_by}" if row.held_by else "",
        f"next at {to_millisecond(row.next_attempt_at)}" if row.next_attempt_at else "",
        row.detail or "",
    )
    return "".join(f"; {part}" for part in parts if part)


def all_attempts(row: Delivery) -> str:
    """Return all attempts of a delivery, such as `500 (6 ms), after 2 s 500 (3 ms), after 4 s 200 (1 ms)`."""
    waits = (f"after {durations.between(one.at, following.at)} " for one, following in pairwise(row.attempts))
    return ", ".join(map(str.__add__, chain([""], waits), map(_attempt, row.attempts)))


def _attempt(attempt: Attempt) -> str:
    return f"{attempt.status_code or attempt.failure} ({attempt.ms} ms)"
