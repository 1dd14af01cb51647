"""`ops receipts`: the postbacks that arrived, and their outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from ops import render
from ops.journal import Journal
from ops.listing import every
from ops.parallel import run_in_parallel
from ops.stacks import Stack
from ops.story import timeline
from ops.target import Json, stack_of
from ricochet.intake.manage_receipts import ManageReceipts, ReceiptQuery, ReceiptSummary, ReceiptView
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.ledger.receipt import Receipt
from ricochet.values import times
from ricochet.values.change import Audit

SENDER_FILTERS = ("networkId", "productId", "strangers", "clickId")
UNIDENTIFIED: dict[str, str | None] = {"strangers": "true"}
Limit = Annotated[int, typer.Option(help="how many at most", min=1, max=1000)]


def receipts(
    ctx: typer.Context,
    receipt_id: Annotated[str | None, typer.Argument(help="show this receipt with the whole request")] = None,
    *,
    network: Annotated[str | None, typer.Option(help="only from this network")] = None,
    product: Annotated[str | None, typer.Option(help="only from this product's advertiser")] = None,
    day: Annotated[str | None, typer.Option(help="such as 2026-11-21; default: today")] = None,
    outcome: Annotated[
        str | None, typer.Option(help="only with this outcome, such as credited or postback_not_authenticated")
    ] = None,
    strangers: Annotated[
        bool, typer.Option("--strangers", help="only from unidentified senders: no click, or an unknown one")
    ] = False,
    click: Annotated[str | None, typer.Option(help="only for this click, on any day")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List postbacks as they arrived, newest first: by default, today's from all sources."""
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
        render.table(columns, map(_line, rows), "no postbacks")


def manager(stack: Stack, audit: Audit) -> ManageReceipts:
    reprocess = ReprocessPostback.from_settings(stack.dynamodb, stack.settings(NetworkPostbackSettings))
    return ManageReceipts(stack.receipts, reprocess, audit)


def newest(stack: Stack, given: dict[str, str | None], limit: int) -> list[Receipt]:
    """Return the newest receipts that match, newest first; from all senders if no source is given."""
    if any(given.get(name) for name in SENDER_FILTERS):
        return list(islice(_receipts(stack, given), limit))
    lists = run_in_parallel(lambda source: list(islice(_receipts(stack, given | source), limit)), _sources(stack))
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
    return (
        render.to_second(row.received_at),
        row.outcome,
        row.source or timeline.UNIDENTIFIED,
        row.receipt_id,
        row.detail,
    )
