"""The operator's command line on a stack of its own, which has just run the demo."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from local import stack as stacks
from local.client import Client
from local.demo import show_loop
from local.emulator import Emulator
from local.partner_server import PartnerServer
from local.seed import Demo, seed
from local.stack import Stack
from local.workspace import CREDENTIALS, LOCAL, REGION, free_port
from ops import cli
from ops import stacks as ops_stacks
from ricochet.delivery.partners.partner_health import PARTNER
from ricochet.dynamodb.wire import to_wire
from ricochet.values import times
from tests.integration.rows import Rows
from tests.waiting import eventually

DEMO_PRODUCTS = ["demo-open", "demo-secret"]
_numbers = itertools.count(1)


class Partners(PartnerServer):
    """The demo's partner server, for which every event is recent, and one path more.

    `/later/...` answers 503 to the first attempt of each delivery and asks for no retry within an hour.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port, recent_seconds=math.inf)
        self._deferred: set[str] = set()

    def answer(self, path: str, query: dict[str, str], delivery_id: str) -> int:
        if path.startswith("/later/") and delivery_id not in self._deferred:
            self._deferred.add(delivery_id)
            return 503
        return super().answer(path, query, delivery_id)

    def headers_for(self, path: str) -> dict[str, str]:
        return {"retry-after": "3600"} if path.startswith("/later/") else {}


class Deployment:
    def __init__(self, stack: Stack, demo: Demo, partners: PartnerServer) -> None:
        self.stack = stack
        self.demo = demo
        self.partners = partners
        self.rows = Rows(stack)
        self.app = Client(stack.api_url, demo.user.token)
        self.admin = Client(stack.api_url, demo.admin.token)
        self.public = Client(stack.api_url)

    def ops(self, line: str, *more: str, answer: str | None = None) -> Result:
        """Run the command line as on AWS: with a stack's name, and credentials in the environment."""
        arguments = [*line.split(), *more, "--stack", self.stack.name, "--region", REGION]
        endpoint = {"AWS_ENDPOINT_URL": self.stack.aws.endpoint_url, "COLUMNS": "120"}
        return CliRunner().invoke(cli.app, arguments, input=answer, env=CREDENTIALS | endpoint)

    def json(self, line: str, *more: str) -> Any:
        result = self.ops(line, *more, "--json")
        assert result.stdout, (result.exception, result.stderr)
        return json.loads(result.stdout)

    def confirmed(self, line: str) -> Any:
        """Decline a command, then confirm it; return its JSON. The question must not be part of that output."""
        declined = self.ops(f"{line} --json", answer="n\n")
        assert (declined.exit_code, declined.stdout, "[y/N]" in declined.stderr) == (1, "", True), declined.output
        result = self.ops(f"{line} --json", answer="y\n")
        assert (result.exit_code, "[y/N]" in result.stderr) == (0, True), result.output
        return json.loads(result.stdout)

    def journal(self) -> list[dict[str, Any]]:
        """Return the lines that the command line wrote to its log group, oldest first."""
        found = self.stack.aws.logs.filter_log_events(logGroupName=self.stack.outputs["OpsLogGroup"])
        return [json.loads(event["message"]) for event in found["events"]]

    def last_journal_line(self, action: str) -> dict[str, Any]:
        line = self.journal()[-1]
        assert (line["message"], line["audit"]["action"]) == ("audit", action)
        assert line["audit"]["who"].startswith("arn:aws:")
        return line

    def ops_stack(self, monkeypatch: pytest.MonkeyPatch) -> ops_stacks.Stack:
        """Return the stack as the command line sees it."""
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": self.stack.aws.endpoint_url}).items():
            monkeypatch.setenv(name, value)
        return ops_stacks.find(self.stack.name, REGION)

    def release_due(self) -> None:
        """Do what the schedule does each minute."""
        reply = self.stack.aws.lambda_.invoke(FunctionName=self.stack.function("ReleaseDueDeliveries"), Payload=b"{}")
        assert "FunctionError" not in reply

    def clear_parked(self) -> None:
        """Delete all parked deliveries and their messages."""
        self.stack.aws.sqs.purge_queue(QueueUrl=self.stack.outputs["ParkedDeliveriesQueueUrl"])
        self.delete_deliveries(state="parked")

    def delete_deliveries(self, **values: Any) -> None:
        for row in self.rows.find("Deliveries", **values):
            key = {name: row[name] for name in ("conversionId", "deliveryKey")}
            self.stack.aws.dynamodb.delete_item(TableName=self.stack.table("Deliveries"), Key=to_wire(key))

    def delete_health(self, partner_id: str) -> None:
        key = {"kind": PARTNER, "subject": partner_id}
        self.stack.aws.dynamodb.delete_item(TableName=self.stack.table("Health"), Key=to_wire(key))

    @contextmanager
    def without_partner_server(self) -> Iterator[None]:
        port = self.partners.port
        self.partners.__exit__()
        try:
            yield
        finally:
            self.partners = Partners(port)
            self.partners.__enter__()


class Offer:
    """A product of one test's own, and partners that receive its conversions and no others."""

    def __init__(self, deployed: Deployment, **fields: Any) -> None:
        self._deployed = deployed
        given = {"name": "Offer", "taskUrl": "https://example.com", "earnUpTo": "9"} | fields
        data = deployed.admin.create("products", **given).data
        self.product_id: str = data["productId"]
        self.partner_ids: list[str] = []

    def add_partner(self, path: str = "ok") -> str:
        """Create a partner at this path of the partner server."""
        partner_id = f"own-{next(_numbers)}"
        self.partner_ids.append(partner_id)
        fields = {"postbackUrl": f"{self._deployed.partners.url}/{path}/{partner_id}", "name": "Own partner"}
        filters = {"productIds": [self.product_id]}
        created = self._deployed.admin.create("partners", partnerId=partner_id, filters=filters, **fields)
        assert created.status == 201
        return partner_id

    def pause_partners(self) -> None:
        for partner_id in self.partner_ids:
            assert self._deployed.admin.patch("partners", partner_id, status="paused").status == 200

    def click(self) -> str:
        click_id: str = self._deployed.app.click(self.product_id).data["clickId"]
        return click_id

    def convert(self) -> str:
        """Report a conversion of a new click, and return its id."""
        click_id = self.click()
        self._deployed.public.postback(click_id, amount=2, status="completed")
        conversion_id: str = self._deployed.json(f"conversion {click_id}")["conversion"]["conversionId"]
        return conversion_id

    def deliveries(self, conversion_id: str, state: str) -> list[dict[str, Any]]:
        """Return the deliveries of the conversion, when there is one for each partner, all in this state."""

        def look() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = self._deployed.json(f"deliveries --conversion {conversion_id}")["items"]
            in_state = [item for item in items if item["state"] == state]
            return in_state if len(in_state) == len(self.partner_ids) else []

        return eventually(look, f"{len(self.partner_ids)} deliveries that are {state}")

    def move_partners(self, path: str) -> None:
        """Point the partners to another path of the partner server."""
        for partner_id in self.partner_ids:
            url = f"{self._deployed.partners.url}/{path}/{partner_id}"
            assert self._deployed.admin.patch("partners", partner_id, postbackUrl=url).status == 200

    def retry_now(self, conversion_id: str) -> None:
        """Make the retries of the conversion due, and release them."""
        for row in self._deployed.rows.find("Deliveries", conversionId=conversion_id, state="retrying"):
            key = {name: row[name] for name in ("conversionId", "deliveryKey")}
            self._deployed.rows.set("Deliveries", key, dueAt=times.now())
        self._deployed.release_due()

    def close(self) -> None:
        """Leave nothing that other tests could see."""
        self._deployed.admin.patch("products", self.product_id, status="archived")
        for partner_id in self.partner_ids:
            self._deployed.admin.patch("partners", partner_id, status="archived")
            self._deployed.delete_deliveries(partnerId=partner_id)
            self._deployed.delete_health(partner_id)


@pytest.fixture(scope="session")
def deployed() -> Iterator[Deployment]:
    port = free_port()
    emulator = Emulator(port, LOCAL / "tests" / str(port), keep_state=False)
    partners = Partners()
    partners.__enter__()
    deployment: Deployment | None = None
    try:
        emulator.start()
        stack = stacks.deploy(emulator, AllowedTargets=f"127.0.0.1:{partners.port}", RetrySchedule="1,1,1")
        demo = seed(stack, partners.url)
        show_loop(stack, demo, partners.url, lambda _: None)
        deployment = Deployment(stack, demo, partners)
        eventually(lambda: not deployment.json("deliveries --state retrying")["items"], "the end of the demo's retries")
        for partner_id in demo.partners.values():
            filters = {"productIds": DEMO_PRODUCTS}
            deployment.admin.patch("partners", partner_id["partnerId"], filters=filters)
        yield deployment
    finally:
        (deployment.partners if deployment else partners).__exit__()
        emulator.stop()
        shutil.rmtree(emulator.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sale(deployed: Deployment) -> dict[str, Any]:
    """The demo's refunded ClickBank sale."""
    return deployed.rows.find("Conversions", source="network:demo-clickbank")[0]


@pytest.fixture
def offer(deployed: Deployment) -> Iterator[Offer]:
    """An offer whose advertiser needs no token."""
    offer = Offer(deployed, postbackAuth={"mode": "open"}, approval="auto")
    yield offer
    offer.close()


@pytest.fixture
def secret_offer(deployed: Deployment) -> Iterator[Offer]:
    offer = Offer(deployed, postbackAuth={"mode": "secret"}, approval="auto")
    yield offer
    offer.close()


@pytest.fixture
def manual_offer(deployed: Deployment) -> Iterator[Offer]:
    """An offer whose conversions wait for an operator's decision."""
    offer = Offer(deployed, postbackAuth={"mode": "open"}, approval="manual")
    yield offer
    offer.close()


@pytest.fixture
def parked(deployed: Deployment, offer: Offer) -> Iterator[list[dict[str, Any]]]:
    """Three parked deliveries of one conversion: the offer's three partners fail, and are paused now."""
    deployed.clear_parked()
    for _ in range(3):
        offer.add_partner("down")
    rows = offer.deliveries(offer.convert(), "parked")
    eventually(lambda: deployed.json("redrive --dry-run")["messages"] == 3, "the messages in the parking queue")
    offer.pause_partners()
    yield rows
    deployed.clear_parked()
