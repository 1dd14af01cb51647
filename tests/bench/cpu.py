"""Warm handlers: the CPU of a request beside that of one bare `put_item`, with stubbed answers of DynamoDB."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient

from ricochet import clients
from ricochet.dynamodb.wire import to_wire
from tests.bench.deployed import invoke, output_discarded
from tests.bench.report import Row
from tests.bench.traffic import PRODUCT, visitors

ROUNDS, REPETITIONS = 15, 50
CLICK_RATIO, POSTBACK_RATIO = 2.0, 3.8


def rows(click: dict[str, Any]) -> list[Row]:
    """`click`: the first visitor's, in wire format, as it was before it converted."""
    visitor, plain = visitors()[0], boto3.client("dynamodb")
    clicks, products = os.environ["CLICKS_TABLE"], os.environ["PRODUCTS_TABLE"]
    work: dict[str, Callable[[], object]] = {
        "put_item": partial(
            plain.put_item, TableName=clicks, Item=click, ConditionExpression="attribute_not_exists(clickId)"
        ),
        "click": partial(invoke, "create_click", visitor.click()),
        "postback": partial(invoke, "receive_postback", visitor.postback(click["clickId"]["S"])),
    }
    items = {clicks: click, products: to_wire(PRODUCT.to_item())}
    with _stubbed(plain, {}), _stubbed(clients.dynamodb(), items), output_discarded():
        rounds = [_round(work) for _ in range(ROUNDS + 1)][1:]  # the first warms up
    return [
        Row(f"{name} / put_item", median(cost[name] / cost["put_item"] for cost in rounds), goal)
        for name, goal in (("click", CLICK_RATIO), ("postback", POSTBACK_RATIO))
    ]


def _round(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the CPU seconds of each, measured in turn so that a slow moment of the machine affects all."""
    return {name: _seconds(do) for name, do in work.items()}


def _seconds(do: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(REPETITIONS):
        do()
    return time.process_time() - started


@contextmanager
def _stubbed(client: BaseClient, items: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Send nothing: GetItem finds the item of that table in `items`, everything else is answered `{}`."""
    found = {table.encode(): json.dumps({"Item": item}).encode() for table, item in items.items()}

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        reads = request.headers["X-Amz-Target"].endswith(b".GetItem")
        body = next(text for table, text in found.items() if table in request.body) if reads else b"{}"
        return AWSResponse(request.url, 200, {"Content-Type": "application/x-amz-json-1.0"}, Stream(body))

    client.meta.events.register("before-send", answer)
    try:
        yield
    finally:
        client.meta.events.unregister("before-send", answer)


class Stream(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
