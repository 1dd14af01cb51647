"""`ops receipts`: what came in, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from ops import render
from ops.examine import at_once
from ops.journal import Journal
from ops.listing import every
from ops.stacks import Stack
from ops.target import Json, stack_of
from ricochet.intake.manage_receipts import ManageReceipts, ReceiptQuery, ReceiptSummary, ReceiptView
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.ledger.receipt import Receipt
from ricochet.values import times
from ricochet.values.change import Audit

WHOSE = ("networkId", "productId", "strangers", "clickId")
UNIDENTIFIED: dict[str, str | None] = {"strangers": "true"}
Limit = Annotated[int, typer.Option(help="how many at most, the newest", min=1, max=1000)]


def receipts(
    ctx: typer.Context,
    receipt_id: Annotated[str | None, typer.Argument(help="one receipt with all that came")] = None,
    *,
    network: Annotated[str | None, typer.Option(help="of this network")] = None,
    product: Annotated[str | None, typer.Option(help="of this product's advertiser")] = None,
    day: Annotated[str | None, typer.Option(help="such as 2026-11-21; today unless it is said")] = None,
    outcome: Annotated[str | None, typer.Option(help="such as credited or postback_not_authenticated")] = None,
    strangers: Annotated[
        bool, typer.Option("--strangers", help="of nobody we know: no click, or an unknown one")
    ] = False,
    click: Annotated[str | None, typer.Option(help="for this click, whenever")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Postbacks as they came, newest first: today's of every source, or whose you say."""
    stack = stack_of(ctx)
    if receipt_id is not None:
        render.resource(ReceiptView.of(manager(stack, Journal(stack)).get(receipt_id)).to_json(), as_json=as_json)
        return
    given = {"networkId": network, "productId": product, "clickId": click, "outcome": outcome}
    given |= UNIDENTIFIED if strangers else {}
    rows = newest(stack, given | {"day": day or times.now()[:10]}, limit)
    if as_json:
        render.show_json({"items": [ReceiptSummary.from_entity(row).to_json() for row in rows]})
    else:
        columns = ("received (UTC)", "outcome", "source", "receipt", "why")
        render.table(columns, map(_line, rows), "nothing came")


def manager(stack: Stack, audit: Audit) -> ManageReceipts:
    reprocess = ReprocessPostback.from_settings(stack.dynamodb, stack.settings(NetworkPostbackSettings))
    return ManageReceipts(stack.receipts, reprocess, audit)


def newest(stack: Stack, given: dict[str, str | None], limit: int) -> list[Receipt]:
    """At most so many that fit, the newest first; of all sources, and of strangers, where none is said."""
    if any(given.get(name) for name in WHOSE):
        return list(islice(_receipts(stack, given), limit))
    lists = at_once(lambda source: list(islice(_receipts(stack, given | source), limit)), _sources(stack))
    merged = sorted((row for rows in lists for row in rows), key=lambda row: row.receipt_id, reverse=True)
    return merged[:limit]


def _receipts(stack: Stack, given: dict[str, Any]) -> Iterator[Receipt]:
    query = ReceiptQuery.parse(given)
    return every(lambda *page: manager(stack, Journal(stack)).list_page(query, *page))


def _sources(stack: Stack) -> list[dict[str, str | None]]:
    sources: list[dict[str, str | None]] = [{"networkId": one.network_id} for one in every(stack.networks.list_page)]
    products = every(lambda *page: stack.products.list_page(None, *page))
    sources += [{"productId": one.product_id} for one in products]
    return [*sources, UNIDENTIFIED]


def _line(row: Receipt) -> tuple[object, ...]:
    return render.second(row.received_at), row.outcome, row.source or "a stranger", row.receipt_id, row.detail
