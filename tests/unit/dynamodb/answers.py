"""A real DynamoDB client whose requests are answered without a network."""

from __future__ import annotations

import io
import json
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse


class Answers:
    """A client whose transactions are cancelled for these reasons in turn, and then succeed."""

    def __init__(self, *cancellations: list[dict[str, Any]]) -> None:
        self.left = list(cancellations)
        self.requests = 0
        self.client = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.requests += 1
        self.last = json.loads(request.body)
        body: dict[str, Any] = {}
        if self.left:
            body = {
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "message": "Transaction cancelled",
                "CancellationReasons": self.left.pop(0),
            }
        content = json.dumps(body).encode()
        headers = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 400 if body else 200, headers, _Raw(content))


class _Raw(io.BytesIO):
    def stream(self, **_: Any):
        yield self.read()
