"""One invocation of a deployed function in its own process, which fails at a given point.

`python -m tests.faults.deployed.invocation FUNCTION FAULT SECONDS` reads the event from standard input and uses the
tables and queues that the environment names. It prints what the handler returned.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSResponse

from ricochet import clients
from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.queues import DeliveryQueue
from ricochet.http.client import Sender


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: type, name: str) -> None:
    setattr(owner, name, lambda *_, **__: die())


def _after(owner: type, name: str) -> None:
    original = getattr(owner, name)

    def call(*args: Any, **named: Any) -> None:
        original(*args, **named)
        die()

    setattr(owner, name, call)


def _refuse(client: Any, operation: str, error: str, times: int) -> None:
    """Answer the next calls with an error of the service; botocore retries where that is allowed."""
    left = [times]

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        if not left[0]:
            return None
        left[0] -= 1
        return _reply(request, 400, {"__type": error, "message": "a fault of the test"})

    service = client.meta.service_model.service_name
    client.meta.events.register(f"before-send.{service}.{operation}", answer)


def _refuse_the_first_messages() -> None:
    """Accept two calls of SQS but refuse all their messages; after that accept everything."""
    calls = []

    def answer(request: Any, **_: Any) -> AWSResponse | None:
        entries = json.loads(request.body)["Entries"]
        calls.append(len(entries))
        if len(calls) > 2:
            return None
        failed = [{"Id": one["Id"], "Code": "InternalError", "SenderFault": False} for one in entries]
        return _reply(request, 200, {"Successful": [], "Failed": failed})

    clients.sqs().meta.events.register("before-send.sqs.SendMessageBatch", answer)


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body


def _reply(request: Any, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    return AWSResponse(request.url, status, headers, _Raw(json.dumps(body).encode()))


FAULTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "killed before it sends": lambda: _before(Sender, "send"),
    "killed after the answer, before the row": lambda: _before(DeliveriesTable, "put_first"),
    "killed after the row, before the message": lambda: _before(DeliveryQueue, "send"),
    "killed after the message, before the acknowledgement": lambda: _after(DeliveryQueue, "send"),
    "killed after the answer, before the record": lambda: _before(DeliveriesTable, "record"),
    "killed after the record, before the message": lambda: _after(DeliveriesTable, "record"),
    "DynamoDB throttles for a while": lambda: _refuse(
        clients.dynamodb(), "PutItem", "ProvisionedThroughputExceededException", 2
    ),
    "DynamoDB throttles": lambda: _refuse(
        clients.dynamodb(), "PutItem", "ProvisionedThroughputExceededException", 1000
    ),
    "SQS fails": lambda: _refuse(clients.sqs(), "SendMessageBatch", "InternalError", 1000),
    "SQS refuses messages": _refuse_the_first_messages,
}


def main(function: str, fault: str, seconds: float) -> None:
    event = json.load(sys.stdin)
    app = importlib.import_module(f"functions.{function}.app")
    FAULTS[fault]()
    end = time.monotonic() + seconds
    context = SimpleNamespace(
        function_name=function,
        function_version="$LATEST",
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        aws_request_id="00000000-0000-0000-0000-000000000000",
        get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000),
    )
    print(json.dumps(app.handler(event, context)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
