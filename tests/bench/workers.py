"""What follows a conversion, run in this process: partners are told, referrers get their share, sends are retried."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from local.partner_server import PartnerServer
from ricochet import clients
from ricochet.models.delivery import Delivery, DeliveryState
from ricochet.models.partner import Partner
from ricochet.rules.signing import new_secret
from ricochet.sender.queues import DeliveryMessage
from ricochet.tables.catalog import Partners
from ricochet.tables.deliveries import Deliveries
from ricochet.tables.users import Users
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
        self._put_off: set[str] = set()

    def answer(self, path: str, query: dict[str, str], delivery_id: str) -> int:
        if path.startswith("/later/") and delivery_id not in self._put_off:
            self._put_off.add(delivery_id)
            return 503
        return super().answer(path, query, delivery_id)


def steps(results: Results, server: BenchPartners) -> dict[str, Measured]:
    """All steps of `costs`: those of requests as measured before, those of workers now."""
    usages = _usages(results, server)
    one, many = Measured.mean(usages["one partner"]), Measured.mean(usages["many partners"])
    delivery = Measured(*((more - few) / (MANY - 1) for few, more in zip(one, many, strict=True)))
    return {
        "click": Measured.mean(results.usages["click"]),
        "visit": Measured.mean(results.usages["track"]),
        "postback": Measured.mean(results.usages["credited postback"]),
        "distribution": Measured(*(few - part for few, part in zip(one, delivery, strict=True))),
        "delivery": delivery,
        "commission": Measured.mean(usages["commission"]),
        "retry": Measured.mean(usages["retry"]),
    }


def _usages(results: Results, server: BenchPartners) -> dict[str, list[Usage]]:
    """By what was done. The conversions have ids of their own: the deployed workers do not know them."""
    dynamodb, tables = clients.dynamodb(), {logical: table for table, logical in results.tables.items()}
    partners, users = Partners(dynamodb, tables["Partners"]), Users(dynamodb, tables["Users"])
    deliveries = Deliveries(dynamodb, tables["Deliveries"])
    rows = results.items["row of Conversions"][:CONVERSIONS]
    for row in rows:
        users.set_referrer(row["userId"]["S"], "who-brought-them", _LONG_AGO)
    usages: dict[str, list[Usage]] = defaultdict(list)
    with output_counted() as printed:
        meter = Meter(printed)

        def measured(kind: str, function: str, event: dict[str, Any]) -> None:
            meter.take()
            work(function, event)
            usages[kind].append(meter.take())

        with meter.on(dynamodb, clients.sqs()):
            partners.create(_partner(server, "/ok/0"))
            for number, row in enumerate(rows):
                measured("one partner", "distribute_conversions", _record(row, f"ONE-{number}"))
                measured("commission", "credit_referrals", _record(row, f"ONE-{number}"))
            for number in range(1, MANY):
                partners.create(_partner(server, f"/ok/{number}"))
            for number, row in enumerate(rows):
                measured("many partners", "distribute_conversions", _record(row, f"MANY-{number}"))
            partners.create(_partner(server, "/later/0"))
            for number, row in enumerate(rows):
                work("distribute_conversions", _record(row, f"LATER-{number}"))
                (failed,) = [one for one in deliveries.of_conversion(f"LATER-{number}") if not one.state.is_terminal]
                measured("retry", "retry_deliveries", _message(failed))
                done = deliveries.get(failed.conversion_id, failed.delivery_key)
                assert done is not None
                assert done.state is DeliveryState.DELIVERED, done
    return usages


def _partner(server: BenchPartners, path: str) -> Partner:
    return Partner(
        partner_id=f"ptn_{path.strip('/').replace('/', '')}",
        name="A tracker",
        postback_url=f"{server.url}{path}?{_QUERY}",
        signing_secret=new_secret(),
        created_at=_LONG_AGO,
        updated_at=_LONG_AGO,
    )


def _record(row: dict[str, Any], conversion_id: str) -> dict[str, Any]:
    """As the stream of Conversions brings a new row."""
    image = row | {"conversionId": {"S": conversion_id}}
    return {"Records": [{"eventID": conversion_id, "eventName": "INSERT", "dynamodb": {"NewImage": image}}]}


def _message(row: Delivery) -> dict[str, Any]:
    """As the queue of failed deliveries brings it."""
    return {"Records": [{"messageId": row.delivery_id, "body": DeliveryMessage.of(row).to_body()}]}
