"""The workers after a conversion, run in this process: deliveries, commissions, retries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.partner_server import PartnerServer
from ricochet import clients
from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.queues import DeliveryMessage
from ricochet.values.signing import new_secret
from tests.bench.calls import Meter, Results, Usage
from tests.bench.costs import Measured
from tests.bench.deployed import output_counted, work

CONVERSIONS, MANY = 40, 3
_LONG_AGO = "2020-01-01T00:00:00.000Z"
_QUERY = (
    "click_id={click_id}&status={status}&payout={payout}&currency={currency}&txid={transaction_id}&offer={offer_id}"
)


class BenchPartners(PartnerServer):
    """`/ok/...` answers 200, `/later/...` answers 503 the first time that it sees a delivery."""

    def __init__(self) -> None:
        super().__init__()
        self._deferred: set[str] = set()

    def answer(self, path: str, query: dict[str, str], delivery_id: str) -> int:
        if path.startswith("/later/") and delivery_id not in self._deferred:
            self._deferred.add(delivery_id)
            return 503
        return super().answer(path, query, delivery_id)


def steps(results: Results, server: BenchPartners) -> dict[str, Measured]:
    """Return all steps of `costs`: requests as measured before, workers measured now.

    The workers' conversions have ids that the deployed workers do not know.
    """
    dynamodb, tables = clients.dynamodb(), {logical: table for table, logical in results.tables.items()}
    partners, users = PartnersTable(dynamodb, tables["Partners"]), UsersTable(dynamodb, tables["Users"])
    deliveries = DeliveriesTable(dynamodb, tables["Deliveries"])
    rows = results.items["row of Conversions"][:CONVERSIONS]
    for row in rows:
        users.set_referrer(row["userId"]["S"], "their-referrer", _LONG_AGO)
    with output_counted() as printed, (meter := Meter(printed)).on(dynamodb, clients.sqs()):
        partners.create(_partner(server, "/ok/0"))
        one = [_used(meter, "distribute_conversions", record) for record in _records(rows, "ONE")]
        commissions = [_used(meter, "credit_referrals", record) for record in _records(rows, "ONE")]
        for number in range(1, MANY):
            partners.create(_partner(server, f"/ok/{number}"))
        many = [_used(meter, "distribute_conversions", record) for record in _records(rows, "MANY")]
        partners.create(_partner(server, "/later/0"))
        retries = [_used(meter, "retry_deliveries", _failed(deliveries, record)) for record in _records(rows, "LATER")]
    few = Measured.mean(one)
    delivery = Measured(*((more - less) / (MANY - 1) for less, more in zip(few, Measured.mean(many), strict=True)))
    return {
        "click": Measured.mean(results.usages["click"]),
        "visit": Measured.mean(results.usages["track"]),
        "postback": Measured.mean(results.usages["credited postback"]),
        "distribution": Measured(*(whole - part for whole, part in zip(few, delivery, strict=True))),
        "delivery": delivery,
        "commission": Measured.mean(commissions),
        "retry": Measured.mean(retries),
    }


def _used(meter: Meter, function: str, event: dict[str, Any]) -> Usage:
    meter.take()
    work(function, event)
    return meter.take()


def _failed(deliveries: DeliveriesTable, record: dict[str, Any]) -> dict[str, Any]:
    """Deliver this record, which fails for one partner; return the event of the failed delivery's queue."""
    work("distribute_conversions", record)
    rows = deliveries.of_conversion(record["Records"][0]["eventID"])
    (failed,) = [row for row in rows if row.state is DeliveryState.RETRYING]
    body = DeliveryMessage.of(failed).to_body()
    message = {"messageId": failed.delivery_id, "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
    return {"Records": [message]}


def _records(rows: list[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """Yield the stream event of a new conversion for each row, under another id."""
    for number, row in enumerate(rows):
        image = row | {"conversionId": {"S": f"{name}-{number}"}}
        change = {"eventID": f"{name}-{number}", "eventName": "INSERT", "dynamodb": {"NewImage": image}}
        yield {"Records": [change]}


def _partner(server: BenchPartners, path: str) -> Partner:
    return Partner(
        partner_id=f"ptn_{path.strip('/').replace('/', '')}",
        name="A tracker",
        postback_url=f"{server.url}{path}?{_QUERY}",
        signing_secret=new_secret(),
        created_at=_LONG_AGO,
        updated_at=_LONG_AGO,
    )
