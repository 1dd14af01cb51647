"""The real template, deployed once for each run to an embedded AWS of its own; partners are real servers."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import stack as stacks
from local.accounts import Account, sign_in
from local.client import Client
from local.demo import deliveries
from local.emulator import Emulator
from local.stack import Stack
from local.workspace import LOCAL, free_port
from ricochet.delivery.delivery import Delivery
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.ledger.receipt import Receipt
from tests.integration.described import described
from tests.integration.partners import ScriptedPartners

RETRY_SCHEDULE = "1,1,1"
WAIT_SECONDS = 60
RECORDING_EMULATOR = Path(__file__).with_name("recording_emulator.py")
CALLS = "calls.jsonl"


@pytest.fixture(scope="session")
def partners() -> Iterator[ScriptedPartners]:
    with ScriptedPartners() as server:
        yield server


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    port = free_port()
    folder = LOCAL / "tests" / str(port)
    program = (str(LOCAL / "ministack/bin/python"), str(RECORDING_EMULATOR), str(folder / CALLS))
    emulator = Emulator(port, folder, keep_state=False, program=program)
    try:
        emulator.start()
        yield emulator
    finally:
        emulator.stop()
        shutil.rmtree(emulator.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(emulator: Emulator, partners: ScriptedPartners) -> Stack:
    return stacks.deploy(
        emulator, AllowedTargets=f"127.0.0.1:{partners.port},127.0.0.1:9001", RetrySchedule=RETRY_SCHEDULE
    )


@pytest.fixture(scope="session")
def public(stack: Stack) -> Client:
    """Someone without a token: an advertiser, or anybody."""
    return described(Client(stack.api_url))


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Client:
    return described(Client(stack.api_url, sign_in(stack, "admin", "admins").token))


@dataclass(frozen=True)
class Person:
    account: Account
    app: Client

    @property
    def user_id(self) -> str:
        return self.account.user_id


@pytest.fixture(scope="session")
def new_person(stack: Stack) -> Callable[[], Person]:
    numbers = itertools.count()

    def make() -> Person:
        account = sign_in(stack, f"person-{next(numbers)}")
        return Person(account, described(Client(stack.api_url, account.token)))

    return make


@pytest.fixture
def person(new_person: Callable[[], Person]) -> Person:
    return new_person()


@dataclass(frozen=True)
class NewProduct:
    product_id: str
    token: str | None


@pytest.fixture(scope="session")
def new_product(admin: Client) -> Callable[..., NewProduct]:
    def make(**fields: Any) -> NewProduct:
        given = {"name": "A product", "taskUrl": "https://example.com/offer", "earnUpTo": "100"} | fields
        data = admin.create("products", **given).data
        return NewProduct(data["productId"], data.get("postbackToken"))

    return make


@dataclass(frozen=True)
class Rows:
    """What stands in the tables, for what no endpoint shows."""

    stack: Stack

    def scan(self, table: str) -> list[dict[str, Any]]:
        return self._scan(table)

    def find(self, table: str, **values: Any) -> list[dict[str, Any]]:
        """The rows that have these values."""
        return self._scan(
            table,
            FilterExpression=" AND ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues=to_wire({f":{name}": value for name, value in values.items()}),
        )

    def _scan(self, table: str, **filters: Any) -> list[dict[str, Any]]:
        pages = self.stack.aws.dynamodb.get_paginator("scan").paginate(
            TableName=self.stack.table(table), ConsistentRead=True, **filters
        )
        return [from_wire(item) for page in pages for item in page["Items"]]

    def of_user(self, table: str, user_id: str) -> list[dict[str, Any]]:
        """Of a table whose keys begin with the user."""
        reply = self.stack.aws.dynamodb.query(
            TableName=self.stack.table(table),
            KeyConditionExpression="userId = :user",
            ExpressionAttributeValues=to_wire({":user": user_id}),
            ConsistentRead=True,
        )
        return [from_wire(item) for item in reply["Items"]]

    def receipts(self, click_id: str) -> list[Receipt]:
        rows = [Receipt.from_item(row) for row in self.find("Receipts", clickId=click_id)]
        return sorted(rows, key=lambda row: row.receipt_id)

    def conversions(self, click_id: str) -> list[dict[str, Any]]:
        return self.find("Conversions", clickId=click_id)

    def deliveries(self, click_id: str) -> list[Delivery]:
        return [row for c in self.conversions(click_id) for row in deliveries(self.stack, c["conversionId"])]

    def set(self, table: str, key: dict[str, Any], **values: Any) -> None:
        names = {f"#{name}": name for name in values}
        self.stack.aws.dynamodb.update_item(
            TableName=self.stack.table(table),
            Key=to_wire(key),
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_wire({f":{name}": value for name, value in values.items()}),
        )


@pytest.fixture(scope="session")
def rows(stack: Stack) -> Rows:
    return Rows(stack)


def eventually[V](look: Callable[[], V], what: str, seconds: float = WAIT_SECONDS) -> V:
    """The first true value of `look`; fails naming `what` if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.1)
    return found


@pytest.fixture
def told(person, admin, public, new_product, partners, rows):
    from tests.integration.telling import DistributionResult  # noqa: PLC0415 - it needs what is above

    told = DistributionResult(person, admin, public, new_product, partners, rows)
    yield told
    told.close()
