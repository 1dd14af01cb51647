"""AWS clients, built once for each process by the functions that need them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

# Three tries of at most 3 s each stay well within API Gateway's 30 s.
_QUICK = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=64,
    tcp_keepalive=True,
)


@cache
def dynamodb() -> DynamoDBClient:
    return boto3.client("dynamodb", config=_QUICK)


@cache
def sqs() -> SQSClient:
    return boto3.client("sqs", config=_QUICK)
