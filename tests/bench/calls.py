"""Every kind of request on the embedded AWS: its calls, its capacity, its items."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient

from ricochet import clients
from ricochet.clicks.products_table import ProductsTable
from tests.bench.deployed import Deployed, become_lambda, invoke, output_counted
from tests.bench.report import Row
from tests.bench.sizes import percentile
from tests.bench.traffic import PRODUCT, Visitor, visitors

CALLS = {
    "click": 1,
    "track": 1,
    "credited postback": 2,
    "repeated postback": 1,
    "click read": 1,
    "wallet read": 1,
    "earnings read": 1,
}
POSTBACK_UNITS, INDEX_UNITS = 10, 4
_WRITES = ("PutItem", "UpdateItem", "TransactWriteItems")
_READS = ("GetItem", "Query")


@dataclass
class Usage:
    """What one request used: calls to AWS, write units by table and of indexes, read units, bytes of log."""

    calls: int = 0
    base: Counter[str] = field(default_factory=Counter)
    indexes: Counter[str] = field(default_factory=Counter)
    reads: float = 0
    log_bytes: int = 0


@dataclass
class Results:
    usages: defaultdict[str, list[Usage]] = field(default_factory=lambda: defaultdict(list))
    """By kind of request."""
    items: defaultdict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """By kind, in wire format."""
    tables: dict[str, str] = field(default_factory=dict)
    """Logical names of the deployed tables."""

    def call_rows(self) -> list[Row]:
        return [Row(kind, self._worst_count(kind, goal), goal, exact=True) for kind, goal in CALLS.items()]

    def capacity_rows(self) -> list[Row]:
        clicks, postbacks = self.usages["click"], self.usages["credited postback"]
        return [
            _units("credited postback, base tables", [usage.base.total() for usage in postbacks], POSTBACK_UNITS),
            *(
                _units(f"  {logical}", [usage.base[table] for usage in postbacks])
                for table, logical in sorted(self.tables.items(), key=lambda pair: pair[1])
                if any(usage.base[table] for usage in postbacks)
            ),
            _units("credited postback, indexes", [usage.indexes.total() for usage in postbacks], INDEX_UNITS),
            _units("click", [usage.base.total() + usage.indexes.total() for usage in clicks]),
        ]

    def _worst_count(self, kind: str, goal: int) -> int:
        return max((usage.calls for usage in self.usages[kind]), key=lambda calls: abs(calls - goal))


def _units(what: str, units: list[float], goal: int | None = None) -> Row:
    return Row(f"{what}, p99 (mean {sum(units) / len(units):.2f})", round(percentile(units, 99)), goal)


class Meter:
    """Measures the requests of clients, in any thread: counts them, and requests the capacity that each consumed."""

    def __init__(self, printed: Callable[[], int]) -> None:
        self._usage = Usage()
        self._printed = printed
        self._printed_before = 0
        self._lock = threading.Lock()

    @contextmanager
    def on(self, *metered: BaseClient) -> Iterator[None]:
        """Measure until the block ends."""
        hooks = {
            "before-send": self._count,
            "provide-client-params.dynamodb": self._request_capacity,
            "after-call.dynamodb": self._read,
        }
        for client in metered:
            for event, hook in hooks.items():
                client.meta.events.register(event, hook)
        try:
            yield
        finally:
            for client in metered:
                for event, hook in hooks.items():
                    client.meta.events.unregister(event, hook)

    def take(self) -> Usage:
        """Return what was used since the last call."""
        usage, self._usage = self._usage, Usage()
        printed = self._printed()
        usage.log_bytes, self._printed_before = printed - self._printed_before, printed
        return usage

    def _count(self, **_: Any) -> None:
        with self._lock:
            self._usage.calls += 1

    def _request_capacity(self, params: dict[str, Any], **_: Any) -> dict[str, Any]:
        return params | {"ReturnConsumedCapacity": "INDEXES"}

    def _read(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        with self._lock:
            for entry in consumed if isinstance(consumed, list) else [consumed]:
                if model.name in _READS:
                    self._usage.reads += entry["CapacityUnits"]
                elif model.name in _WRITES:
                    in_indexes = sum(
                        index["CapacityUnits"] for index in entry.get("GlobalSecondaryIndexes", {}).values()
                    )
                    self._usage.indexes[entry["TableName"]] += in_indexes
                    self._usage.base[entry["TableName"]] += entry["CapacityUnits"] - in_indexes


def run(running: Deployed) -> Results:
    """Each visitor clicks, lands, converts, is reported twice, and reads the result."""
    become_lambda(running)
    outputs = running.stack.outputs.items()
    tables = {name.removesuffix("Table"): table for name, table in outputs if name.endswith("Table")}
    ProductsTable(clients.dynamodb(), tables["Products"]).create(PRODUCT)
    results = Results(tables={table: name for name, table in tables.items()})
    *everyone, newcomer = visitors()
    with output_counted() as printed:
        meter = Meter(printed)
        _read_product(newcomer)
        with meter.on(clients.dynamodb(), clients.sqs()):
            for visitor in everyone:
                _visit(running, tables["Clicks"], visitor, meter, results)
    for name in ("Conversions", "Earnings", "Receipts"):
        pages = running.stack.aws.dynamodb.get_paginator("scan").paginate(TableName=tables[name])
        results.items[f"row of {name}"] = [item for page in pages for item in page["Items"]]
    return results


def _read_product(visitor: Visitor) -> None:
    """Let functions cache the product, as warm ones have."""
    click_id = click_id_of(invoke("create_click", visitor.click()))
    invoke("receive_postback", visitor.postback(click_id))


def _visit(running: Deployed, clicks: str, visitor: Visitor, meter: Meter, results: Results) -> None:
    def measured(kind: str, function: str, event: dict[str, Any]) -> dict[str, Any]:
        meter.take()
        answer = invoke(function, event)
        results.usages[kind].append(meter.take())
        return answer

    def keep_click(kind: str) -> None:
        reply = running.stack.aws.dynamodb.get_item(TableName=clicks, Key={"clickId": {"S": click_id}})
        results.items[kind].append(reply["Item"])

    click_id = click_id_of(measured("click", "create_click", visitor.click()))
    keep_click("click")
    measured("track", "track_click", visitor.track(click_id))
    credited = measured("credited postback", "receive_postback", visitor.postback(click_id))
    assert data_of(credited)["status"] == "completed", credited
    repeated = measured("repeated postback", "receive_postback", visitor.postback(click_id))
    assert data_of(repeated)["duplicate"], repeated
    keep_click("click, visited and converted")
    measured("click read", "get_click", visitor.read("clicks/{clickId}", clickId=click_id))
    measured("wallet read", "get_wallet", visitor.read("wallet"))
    measured("earnings read", "list_earnings", visitor.read("earnings"))


def click_id_of(answer: dict[str, Any]) -> str:
    click_id: str = data_of(answer)["clickId"]
    return click_id


def data_of(answer: dict[str, Any]) -> Any:
    return json.loads(answer["body"])["data"]
