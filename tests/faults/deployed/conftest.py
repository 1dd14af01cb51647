"""The deployed stack, functions that fail at a given point, and the oracle: partners' logs against our rows."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.stack import Stack
from local.workspace import ROOT, clean_environment
from ricochet.delivery.delivery import Delivery, DeliveryState
from ricochet.delivery.queues import DeliveryMessage
from tests.integration.campaign import Campaign
from tests.integration.conftest import (
    admin,
    campaign,
    emulator,
    new_person,
    new_product,
    partners,
    person,
    public,
    rows,
    stack,
)
from tests.integration.functions import withheld
from tests.integration.partners import ScriptedPartners
from tests.integration.rows import Rows
from tests.waiting import PATIENCE, eventually

STREAM_READER, QUEUE_READER = "DistributeConversions", "RetryDeliveries"
FUNCTIONS = {STREAM_READER: "distribute_conversions", QUEUE_READER: "retry_deliveries"}


@pytest.fixture(autouse=True)
def _no_leaks() -> None:
    """Not checked here: clients and servers live as long as the stack."""


@dataclass(frozen=True)
class Invoked:
    returncode: int
    answer: Any
    output: str

    @property
    def was_killed(self) -> bool:
        return self.returncode < 0

    @property
    def has_failed(self) -> bool:
        return self.returncode > 0


class Platform:
    """Lambda as the tests control it: when a function receives events, how often, and where it fails."""

    def __init__(self, deployed: Stack) -> None:
        self.stack = deployed

    @contextlib.contextmanager
    def withheld(self, *functions: str) -> Iterator[None]:
        """Keep events from these functions; they receive them afterwards."""
        with withheld(self.stack, *functions):
            yield

    def invoke(self, function: str, event: dict[str, Any], fault: str = "none", seconds: float = PATIENCE) -> Invoked:
        process = self.start(function, fault, seconds)
        output, errors = process.communicate(json.dumps(event), timeout=PATIENCE)
        last = output.strip().splitlines()[-1:] if process.returncode == 0 else []
        return Invoked(process.returncode, json.loads(last[0]) if last else None, output + errors)

    def start(self, function: str, fault: str = "none", seconds: float = PATIENCE) -> subprocess.Popen[str]:
        """Start a process that reads its event from standard input."""
        configuration = self.stack.aws.lambda_.get_function_configuration(FunctionName=self.stack.function(function))
        environment = clean_environment(
            AWS_ENDPOINT_URL=self.stack.aws.endpoint_url,
            PYTHONPATH=f"{ROOT}/layers/ricochet",
            **configuration["Environment"]["Variables"],
        )
        command = [sys.executable, "-m", "tests.faults.deployed.invocation", FUNCTIONS[function], fault, str(seconds)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)

    def stream_event(self, *conversion_ids: str) -> dict[str, Any]:
        """Return the stream's event for these new conversions."""
        items = [
            self.stack.aws.dynamodb.get_item(
                TableName=self.stack.table("Conversions"), Key={"conversionId": {"S": conversion_id}}
            )["Item"]
            for conversion_id in conversion_ids
        ]
        return {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": item}} for item in items]}

    @contextlib.contextmanager
    def received(self, delivery: Delivery) -> Iterator[dict[str, Any]]:
        """Yield the event with the delivery's message; afterwards the queue delivers the message again."""
        queue, body = self.stack.outputs["FailedDeliveriesQueueUrl"], DeliveryMessage.of(delivery).to_body()

        def receive() -> dict[str, Any]:
            received = self.stack.aws.sqs.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=int(PATIENCE), AttributeNames=["All"]
            )
            found: dict[str, Any] = {}
            for message in received.get("Messages", []):
                if message["Body"] == body:
                    found = message
                else:
                    self._return(queue, message)
            return found

        message = eventually(receive, "the message")
        record = {"messageId": message["MessageId"], "body": body, "attributes": message["Attributes"]}
        try:
            yield {"Records": [record]}
        finally:
            self._return(queue, message)

    def _return(self, queue: str, message: dict[str, Any]) -> None:
        self.stack.aws.sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )


@pytest.fixture
def platform(stack) -> Platform:
    return Platform(stack)


class Oracle:
    """Compares what partners received with what we recorded."""

    def __init__(self, campaign: Campaign, partners: ScriptedPartners, rows: Rows) -> None:
        self._campaign, self._partners, self._rows = campaign, partners, rows

    def wait_for(self, number: int, state: DeliveryState = DeliveryState.DELIVERED) -> list[Delivery]:
        """Return all deliveries, once so many are in this state."""
        eventually(
            lambda: sum(row.state is state for row in self._campaign.all_deliveries()) == number,
            f"{number} that are {state}",
        )
        return self._campaign.all_deliveries()

    def reconcile(self, deliveries: int, duplicates: int | range = 0) -> str:
        """Check that partners accepted every recorded delivery and no other, and how many twice; return the result."""
        delivered = {row.delivery_id for row in self.wait_for(deliveries)}
        accepted = Counter(one.delivery_id for one in self._log() if one.answered == 200)
        assert set(accepted) == delivered
        allowed = duplicates if isinstance(duplicates, range) else (duplicates,)
        duplicates = accepted.total() - len(accepted)
        assert duplicates in allowed
        return f"{deliveries} delivered, 0 lost, {duplicates} twice under one webhook-id"

    def requests(self) -> int:
        """Return how many requests partners have received."""
        return len(self._log())

    def _log(self) -> list[Any]:
        paths = {self._path(partner_id) for partner_id in self._campaign.partner_ids}
        return [one for one in list(self._partners.received) if one.path in paths]

    def _path(self, partner_id: str) -> str:
        return self._campaign.paths[partner_id]


@pytest.fixture
def oracle(campaign, partners, rows) -> Oracle:
    return Oracle(campaign, partners, rows)


@pytest.fixture
def conversions(campaign, rows) -> Callable[[int], list[str]]:
    """Report so many purchases of new clicks; return the ids of the conversions."""

    def convert(number: int) -> list[str]:
        clicks = campaign.report_purchases(number)
        return [rows.conversions(click_id)[0]["conversionId"] for click_id in clicks]

    return convert
