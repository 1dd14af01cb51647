"""The deployed stack, functions that die where they are told to, and the oracle: partners' logs against our rows."""

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
from tests.integration.conftest import (
    Rows,
    admin,
    emulator,
    eventually,
    new_person,
    new_product,
    partners,
    person,
    public,
    rows,
    stack,
    told,
)
from tests.integration.partners import ScriptedPartners
from tests.integration.telling import DistributionResult

STREAM_READER, QUEUE_READER = "DistributeConversions", "RetryDeliveries"
FUNCTIONS = {STREAM_READER: "distribute_conversions", QUEUE_READER: "retry_deliveries"}


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> None:
    """Here clients and servers live as long as the stack."""


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
    """Lambda in our hands: when a function's events come, how often, and where it dies."""

    def __init__(self, deployed: Stack) -> None:
        self.stack = deployed

    @contextlib.contextmanager
    def withheld(self, *functions: str) -> Iterator[None]:
        """Events of these functions wait meanwhile; what came then is brought afterwards."""
        mappings = [self._mapping(function) for function in functions]
        for mapping in mappings:
            self.stack.aws.lambda_.update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield
        finally:
            for mapping in mappings:
                self.stack.aws.lambda_.update_event_source_mapping(UUID=mapping, Enabled=True)

    def invoke(self, function: str, event: dict[str, Any], fault: str = "none", seconds: float = 30) -> Invoked:
        process = self.start(function, fault, seconds)
        output, errors = process.communicate(json.dumps(event), timeout=60)
        last = output.strip().splitlines()[-1:] if process.returncode == 0 else []
        return Invoked(process.returncode, json.loads(last[0]) if last else None, output + errors)

    def start(self, function: str, fault: str = "none", seconds: float = 30) -> subprocess.Popen[str]:
        """A process that waits for its event on standard input."""
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
        """What the stream says when these conversions are new."""
        items = [
            self.stack.aws.dynamodb.get_item(
                TableName=self.stack.table("Conversions"), Key={"conversionId": {"S": conversion_id}}
            )["Item"]
            for conversion_id in conversion_ids
        ]
        return {"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": item}} for item in items]}

    @contextlib.contextmanager
    def received(self, delivery: Delivery) -> Iterator[dict[str, Any]]:
        """The event with the delivery's message, as the queue hands it out; afterwards it is handed out again."""
        queue, body = self.stack.outputs["FailedDeliveriesQueueUrl"], DeliveryMessage.of(delivery).to_body()

        def take() -> dict[str, Any]:
            taken = self.stack.aws.sqs.receive_message(
                QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=60, AttributeNames=["All"]
            )
            return next((one for one in taken.get("Messages", []) if one["Body"] == body), {})

        message = eventually(take, "the message")
        record = {"messageId": message["MessageId"], "body": body, "attributes": message["Attributes"]}
        yield {"Records": [record]}
        self.stack.aws.sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )

    def _mapping(self, function: str) -> str:
        name = self.stack.function(function)
        (mapping,) = self.stack.aws.lambda_.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        return mapping["UUID"]


@pytest.fixture
def platform(stack) -> Platform:
    return Platform(stack)


class Oracle:
    """What partners say they were sent, against what we say we sent them."""

    def __init__(self, told: DistributionResult, partners: ScriptedPartners, rows: Rows) -> None:
        self._told, self._partners, self._rows = told, partners, rows

    def settle(self, number: int, state: DeliveryState = DeliveryState.DELIVERED) -> list[Delivery]:
        """All rows, once so many are in this state."""
        eventually(
            lambda: sum(row.state is state for row in self._told.all_rows()) == number, f"{number} that are {state}"
        )
        return self._told.all_rows()

    def reconcile(self, deliveries: int, duplicates: int = 0) -> str:
        """Every id that partners took is on record and the other way round; only so many came twice. In words."""
        delivered = {row.delivery_id for row in self.settle(deliveries)}
        taken = Counter(one.delivery_id for one in self._log() if one.answered == 200)
        assert set(taken) == delivered
        assert taken.total() - len(taken) == duplicates
        return f"{deliveries} delivered, 0 lost, {duplicates} twice under one webhook-id"

    def asked(self) -> int:
        return len(self._log())

    def _log(self) -> list[Any]:
        paths = {self._path(partner_id) for partner_id in self._told.partner_ids}
        return [one for one in list(self._partners.received) if one.path in paths]

    def _path(self, partner_id: str) -> str:
        return self._told.paths[partner_id]


@pytest.fixture
def oracle(told, partners, rows) -> Oracle:
    return Oracle(told, partners, rows)


@pytest.fixture
def conversions(told, rows) -> Callable[[int], list[str]]:
    """Reports so many conversions of other clicks; their ids."""

    def convert(number: int) -> list[str]:
        clicks = told.convert_anew(number)
        return [rows.conversions(click_id)[0]["conversionId"] for click_id in clicks]

    return convert
