"""The AWS calls of a request, counted on the wire, with the product and the network already cached."""

from __future__ import annotations

import itertools
from decimal import Decimal

import boto3
import pytest

from local.workspace import REGION
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.create_click import ClickRequest, CreateClick
from ricochet.clicks.products_table import ProductsTable
from ricochet.clicks.read_click import ReadClick
from ricochet.intake.advertiser_source import AdvertiserSource
from ricochet.intake.intake import Intake
from ricochet.intake.network_source import NetworkDirectory
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.wallets_table import WalletsTable
from ricochet.values import times

numbers = itertools.count()


class Counted:
    """The use cases on the deployed tables, with a client that counts its requests."""

    def __init__(self, stack) -> None:
        self.calls: list[str] = []
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        client = boto3.client("dynamodb", endpoint_url=stack.aws.endpoint_url, region_name=REGION, **keys)
        client.meta.events.register("request-created.dynamodb", self._count)
        names = ("products", "networks", "clicks", "conversions", "earnings", "wallets", "receipts", "counters")
        settings = NetworkPostbackSettings(
            **{f"{name}_table": stack.table(name.capitalize()) for name in names},
            default_referral_rate=Decimal("0.1"),
            default_currency="USD",
        )
        self.create_click = CreateClick(
            ProductsTable(client, settings.products_table), ClicksTable(client, settings.clicks_table)
        )
        self.read_click = ReadClick(ClicksTable(client, settings.clicks_table))
        self.earnings = EarningsTable(client, settings.earnings_table)
        self.wallets = WalletsTable(client, settings.wallets_table)
        self.advertisers = AdvertiserSource.from_settings(client, settings)
        self.networks = NetworkDirectory.from_settings(client, settings)
        self.intake = Intake.from_settings(client, settings)

    def _count(self, operation_name: str, **_) -> None:
        self.calls.append(operation_name)

    def cost(self, action) -> list[str]:
        self.calls.clear()
        action()
        return list(self.calls)

    def click(self, product_id: str) -> str:
        return self.create_click(
            "counted-user", product_id, ClickRequest(), ip="203.0.113.1", user_agent="", public_base_url=""
        ).click_id

    def postback(self, query: str, path: str = "/api/v1/earn/postback") -> None:
        moment = times.now()
        raw = RawPostback(
            receipt_id=f"RCPT-COUNTED-{next(numbers)}",
            received_at=moment,
            method="GET",
            path=path,
            query=query,
            source_ip="203.0.113.1",
        )
        key = path.rpartition("/postback/")[2]
        source = self.networks.source(key, moment) if path.startswith("/postback/") else self.advertisers
        self.intake(raw, source)


@pytest.fixture(scope="module")
def counted(stack):
    return Counted(stack)


@pytest.fixture
def product_id(new_product, counted):
    product = new_product(postbackAuth={"mode": "open"}, approval="auto")
    counted.postback(f"click_id={counted.click(product.product_id)}&amount=1&transactionId=warm")
    return product.product_id


def test_a_click_costs_one_call(counted, product_id):
    assert counted.cost(lambda: counted.click(product_id)) == ["PutItem"]


def test_reads_cost_one_call_each(counted, product_id):
    click_id = counted.click(product_id)
    assert counted.cost(lambda: counted.read_click.own("counted-user", click_id, "")) == ["GetItem"]
    assert counted.cost(lambda: counted.read_click.visited(click_id)) == ["UpdateItem"]
    assert counted.cost(lambda: counted.wallets.of_user("counted-user")) == ["Query"]
    assert counted.cost(lambda: counted.earnings.of_user("counted-user", 20, None)) == ["Query"]


def test_a_credited_postback_costs_two_calls_and_its_repeat_one(counted, product_id):
    query = f"click_id={counted.click(product_id)}&amount=1&transactionId=t-{next(numbers)}"
    assert counted.cost(lambda: counted.postback(query)) == ["GetItem", "TransactWriteItems"]
    assert counted.cost(lambda: counted.postback(query)) == ["GetItem"]


def test_a_network_postback_costs_no_more(counted, product_id, admin):
    by_click = admin.create("networks", name="by click").data["uniqueKey"]
    by_user = admin.create("networks", name="by user", creditBy="user").data["uniqueKey"]
    counted.postback(f"click_id={counted.click(product_id)}&amount=1&txid=warm", f"/postback/{by_click}")
    counted.postback("user_id=counted-user&amount=1&txid=warm", f"/postback/{by_user}")
    query = f"click_id={counted.click(product_id)}&amount=1&txid=t-{next(numbers)}"
    path = f"/postback/{by_click}"
    assert counted.cost(lambda: counted.postback(query, path)) == ["GetItem", "TransactWriteItems"]
    assert counted.cost(lambda: counted.postback(query, path)) == ["GetItem"]
    refund = counted.cost(lambda: counted.postback(f"{query}&status=refund", path))
    assert refund == ["GetItem", "GetItem", "TransactWriteItems"]
    query = f"user_id=counted-user&amount=1&txid=t-{next(numbers)}"
    path = f"/postback/{by_user}"
    assert counted.cost(lambda: counted.postback(query, path)) == ["TransactWriteItems"]
    refund = counted.cost(lambda: counted.postback(f"{query}&status=refund", path))
    assert refund == ["TransactWriteItems", "TransactWriteItems"]
