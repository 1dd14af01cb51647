"""AWS clients, built once for each process by the functions that need them.

Each shortcut here is measured by `make bench`: botocore is used without boto3 around it, it is given the list of our
services (else it searches some nine hundred folders), and it neither validates parameters, which our own types check,
nor builds its long user agent.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

# Three tries of at most 3 s each stay well within API Gateway's 30 s.
_QUICK = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=64,
    tcp_keepalive=True,
    parameter_validation=False,
    user_agent="ricochet",
)


class _KnownServices(Loader):
    """A botocore loader that knows which services we use."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the loader's own signature
        return ["dynamodb", "events", "sqs"]


@cache
def _session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register_component("data_loader", _KnownServices())
    return session


@cache
def dynamodb() -> DynamoDBClient:
    return cast("DynamoDBClient", _session().create_client("dynamodb", config=_QUICK))


@cache
def sqs() -> SQSClient:
    return cast("SQSClient", _session().create_client("sqs", config=_QUICK))


@cache
def events() -> EventBridgeClient:
    return cast("EventBridgeClient", _session().create_client("events", config=_QUICK))


def when_needed[C](make: Callable[[], C]) -> C:
    """Return a client that is built by its first call: one that is seldom needed must not delay every cold start."""
    return cast("C", _WhenNeeded(make))


class _WhenNeeded:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._make(), name)
