"""The real template, deployed once for each run to an embedded AWS of its own; partners are real servers."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import stack as stacks
from local.accounts import sign_in
from local.client import Client
from local.emulator import Emulator
from local.stack import Stack
from local.workspace import LOCAL, free_port
from tests.integration.api_description import checked
from tests.integration.campaign import Campaign
from tests.integration.entities import NewProduct, Person
from tests.integration.partners import ScriptedPartners
from tests.integration.rows import Rows

RETRY_SCHEDULE = "1,1,1"
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
    """A client without a token, such as an advertiser."""
    return checked(Client(stack.api_url))


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Client:
    return checked(Client(stack.api_url, sign_in(stack, "admin", "admins").token))


@pytest.fixture(scope="session")
def new_person(stack: Stack) -> Callable[[], Person]:
    numbers = itertools.count()

    def make() -> Person:
        account = sign_in(stack, f"person-{next(numbers)}")
        return Person(account, checked(Client(stack.api_url, account.token)))

    return make


@pytest.fixture
def person(new_person: Callable[[], Person]) -> Person:
    return new_person()


@pytest.fixture(scope="session")
def new_product(admin: Client) -> Callable[..., NewProduct]:
    def make(**fields: Any) -> NewProduct:
        given = {"name": "A product", "taskUrl": "https://example.com/offer", "earnUpTo": "100"} | fields
        data = admin.create("products", **given).data
        return NewProduct(data["productId"], data.get("postbackToken"))

    return make


@pytest.fixture(scope="session")
def rows(stack: Stack) -> Rows:
    return Rows(stack)


@pytest.fixture
def campaign(person, admin, public, new_product, partners, rows) -> Iterator[Campaign]:
    campaign = Campaign(person, admin, public, new_product, partners, rows)
    yield campaign
    campaign.close()
