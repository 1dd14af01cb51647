"""A conversion's story as lines: what happened, when, and to whom. Touches nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from ops import durations
from ops.render import moment, money
from ricochet.clicks.click import Click
from ricochet.delivery.delivery import Delivery
from ricochet.http.attempt import Attempt
from ricochet.intake.manage_receipts import ReceiptSummary
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import Earning
from ricochet.ledger.receipt import Receipt

SPOKEN_BY = {"operator": "decision", "partner": "reply"}
"""What a receipt is of, where it is of no postback."""


@dataclass(frozen=True)
class Story:
    """All that happened around one conversion; around a click, where it led to none."""

    click: Click | None
    conversion: Conversion | None = None
    receipts: tuple[Receipt, ...] = ()
    earnings: tuple[Earning, ...] = ()
    referrer_id: str | None = None
    commissions: tuple[Earning, ...] = ()
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True)
class Happening:
    at: str
    what: str
    text: str


def headline(story: Story) -> dict[str, str]:
    """What it has come to."""
    one = story.conversion
    if one is None:
        return {"conversion": "none: this click has led to nothing"}
    known_as = {"transaction": one.transaction_id, "their id": one.source_conversion_id, "event": one.event}
    names = ", ".join(f"{name} {text}" for name, text in known_as.items() if text)
    held = f", held: {one.hold_reason}" if one.hold_reason else ""
    owed = f", {money(one.owed, one.currency)} owed until {moment(one.credit_after)}" if one.owed else ""
    return {
        "conversion": f"{one.conversion_id}" + (f" ({names})" if names else ""),
        "status": f"{one.status}, version {one.version}{held}",
        "source": one.source,
        "user": one.user_id or "nobody: no click of ours is known",
        "money": f"{money(one.amount, one.currency)} reported, {money(one.credited, one.currency)} credited now{owed}",
    }


def happenings(story: Story) -> list[Happening]:
    """In the order in which they happened."""
    told = [
        *_click(story.click),
        *map(_receipt, story.receipts),
        *_versions(story.conversion),
        *(_earning(row, "earning", row.type) for row in story.earnings),
        *(_earning(row, "commission", f"to {row.user_id}") for row in story.commissions),
        *map(_delivery, story.deliveries),
    ]
    return sorted(told, key=lambda one: one.at)


def to_json(story: Story) -> dict[str, Any]:
    return {
        "conversion": story.conversion.to_json() if story.conversion else None,
        "click": story.click.to_json() if story.click else None,
        "receipts": [ReceiptSummary.from_entity(one).to_json() for one in story.receipts],
        "earnings": [one.to_json() for one in story.earnings],
        "referrerId": story.referrer_id,
        "commissions": [one.to_json() for one in story.commissions],
        "deliveries": [one.to_json() for one in story.deliveries],
    }


def name(delivery: Delivery) -> str:
    """What commands know it by: conversion, version and partner in one word."""
    return f"{delivery.conversion_id}/{delivery.version}/{delivery.partner_id}"


def _click(click: Click | None) -> Iterator[Happening]:
    if click is None:
        return
    offer = f", offer {click.offer_id}" if click.offer_id else ""
    yield Happening(click.created_at, "click", f"{click.click_id} on {click.product_id}{offer} by {click.user_id}")
    if click.first_visit_at:
        yield Happening(click.first_visit_at, "visit", f"the first of {click.visits}")


def _receipt(receipt: Receipt) -> Happening:
    reason = f": {receipt.detail}" if receipt.detail else ""
    return Happening(
        receipt.received_at,
        SPOKEN_BY.get((receipt.source or "").partition(":")[0], "postback"),
        f"{receipt.outcome}{reason} ({receipt.source or 'a stranger'}, {receipt.receipt_id})",
    )


def _versions(conversion: Conversion | None) -> Iterator[Happening]:
    if conversion is None:
        return
    for one in (*conversion.versions, conversion.as_past):
        by = f" by {one.changed_by}" if one.changed_by else ""
        text = f'{one.status}, "{one.source_status}", {money(one.amount, conversion.currency)}{by}'
        yield Happening(one.at, f"version {one.version}", text)


def _earning(row: Earning, what: str, more: str) -> Happening:
    reason = f", {row.reason}" if row.reason else ""
    sign = "+" if row.amount > 0 else ""
    return Happening(
        row.earned_at, what, f"{sign}{money(row.amount, row.currency)} {row.status} ({more}{reason}, {row.earning_id})"
    )


def _delivery(row: Delivery) -> Happening:
    text = f"version {row.version} ({row.notice.status.lead_word}) {row.state}: {attempts(row) or 'not tried yet'}"
    return Happening(row.created_at, row.partner_id, text + _outlook(row))


def briefly(row: Delivery) -> str:
    """The last attempt, and what is to come."""
    if not row.attempts:
        return "not tried yet" + _outlook(row)
    before = f"attempt {row.attempt_count}: " if row.attempt_count > 1 else ""
    return before + _attempt(row.attempts[-1]) + _outlook(row)


def _outlook(row: Delivery) -> str:
    parts = (
        f"held: {row.held_by}" if row.held_by else "",
        f"next at {moment(row.next_attempt_at)}" if row.next_attempt_at else "",
        row.detail or "",
    )
    return "".join(f"; {part}" for part in parts if part)


def attempts(row: Delivery) -> str:
    """`500 (6 ms), after 2 s 500 (3 ms), after 4 s 200 (1 ms)`."""
    waits = (f"after {durations.between(one.at, following.at)} " for one, following in pairwise(row.attempts))
    return ", ".join(map(str.__add__, chain([""], waits), map(_attempt, row.attempts)))


def _attempt(attempt: Attempt) -> str:
    return f"{attempt.status_code or attempt.failure} ({attempt.ms} ms)"
