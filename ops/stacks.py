"""The deployed stack to work on: the local one that `make up` started, or one on AWS by its name."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic.alias_generators import to_snake

from local.workspace import CREDENTIALS, STACK_FILE
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.products_table import ProductsTable
from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.deliveries_table import DeliveriesTable
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.dynamodb.table import Table
from ricochet.intake.networks_table import NetworksTable
from ricochet.ledger.conversions_table import ConversionsTable
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.ledger.wallets_table import WalletsTable
from ricochet.settings import EnvironmentSettings

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sqs import SQSClient

_SESSION_LOCK = Lock()  # threads may share clients, but not sessions
_CLIENT_CONFIG = Config(connect_timeout=3, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})


class OperatorError(Exception):
    """A problem that the operator can fix; the text says how."""


class StackNotFoundError(OperatorError):
    def __init__(self, message: str, advice: str) -> None:
        super().__init__(f"{message}: {advice}")
        self.message = message
        self.advice = advice


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its description in CloudFormation, and clients for its resources."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    session: boto3.Session
    endpoint_url: str | None = None
    demo_partners: str | None = None  # `host:port` of the local stack's own partner server

    @property
    def region(self) -> str:
        return self.session.region_name

    @property
    def is_deployed(self) -> bool:
        """Whether a deployment has succeeded: until then, CloudFormation lists no outputs."""
        return "ApiUrl" in self.outputs

    def output(self, name: str) -> str:
        """Return an output's value; raise OperatorError if the stack has no such output."""
        if name not in self.outputs:
            raise OperatorError(f"{self.name} is {self.status} and has no {name}: deploy it, then run `doctor`")
        return self.outputs[name]

    @property
    def api_url(self) -> str:
        return self.output("ApiUrl")

    @cached_property
    def operator(self) -> str:
        """The operator's identity on AWS; on the local stack, the user name on this machine."""
        if self.demo_partners is not None:
            return getpass.getuser()
        return str(self._client("sts").get_caller_identity()["Arn"])

    def settings[S: EnvironmentSettings](self, kind: type[S]) -> S:
        """Return the settings of a function, read from the stack, so that its use cases can run here."""
        values = {**self.outputs, **self.parameters, "PublicBaseUrl": self.api_url}
        return kind.load({to_snake(name): value for name, value in values.items()})

    def _client(self, service: Any) -> Any:
        with _SESSION_LOCK:
            return self.session.client(service, endpoint_url=self.endpoint_url, config=_CLIENT_CONFIG)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return cast("CloudFormationClient", self._client("cloudformation"))

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return cast("CloudWatchClient", self._client("cloudwatch"))

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return cast("DynamoDBClient", self._client("dynamodb"))

    @cached_property
    def events(self) -> EventBridgeClient:
        return cast("EventBridgeClient", self._client("events"))

    @cached_property
    def lambda_(self) -> LambdaClient:
        return cast("LambdaClient", self._client("lambda"))

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return cast("CloudWatchLogsClient", self._client("logs"))

    @cached_property
    def sqs(self) -> SQSClient:
        return cast("SQSClient", self._client("sqs"))

    @cached_property
    def clicks(self) -> ClicksTable:
        return self._table(ClicksTable)

    @cached_property
    def conversions(self) -> ConversionsTable:
        return self._table(ConversionsTable)

    @cached_property
    def deliveries(self) -> DeliveriesTable:
        return self._table(DeliveriesTable)

    @cached_property
    def earnings(self) -> EarningsTable:
        return self._table(EarningsTable)

    @cached_property
    def health(self) -> HealthTable:
        return self._table(HealthTable)

    @cached_property
    def networks(self) -> NetworksTable:
        return self._table(NetworksTable)

    @cached_property
    def partners(self) -> PartnersTable:
        return self._table(PartnersTable)

    @cached_property
    def products(self) -> ProductsTable:
        return self._table(ProductsTable)

    @cached_property
    def receipts(self) -> ReceiptsTable:
        return self._table(ReceiptsTable)

    @cached_property
    def users(self) -> UsersTable:
        return self._table(UsersTable)

    @cached_property
    def wallets(self) -> WalletsTable:
        return self._table(WalletsTable)

    def _table[T: Table[Any]](self, kind: type[T]) -> T:
        return kind(self.dynamodb, self.output(kind.__name__))


def find(name: str | None, region: str | None) -> Stack:
    """Return the stack of that name in the caller's account, or the local one for None; raise StackNotFoundError."""
    return _local() if name is None else _described(name, boto3.Session(region_name=region))


def _local() -> Stack:
    if not STACK_FILE.exists():
        raise StackNotFoundError("there is no local stack", "`make up` starts one; --stack NAME chooses one on AWS")
    saved = json.loads(STACK_FILE.read_text())
    session = boto3.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=saved["region"],
    )
    partners = saved.get("partner_url", "").partition("//")[2]
    return _described(saved["stack_name"], session, saved["aws_endpoint_url"], partners)


def _described(
    name: str, session: boto3.Session, endpoint_url: str | None = None, demo_partners: str | None = None
) -> Stack:
    try:
        client = session.client("cloudformation", endpoint_url=endpoint_url, config=_CLIENT_CONFIG)
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except (ClientError, BotoCoreError) as error:
        advice = "`make up` starts it" if demo_partners else "check the name, --region and your credentials"
        raise StackNotFoundError(f"{name} cannot be reached ({str(error).rstrip('.')})", advice) from error
    return Stack(
        name=name,
        status=found["StackStatus"],
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
        parameters={one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])},
        session=session,
        endpoint_url=endpoint_url,
        demo_partners=demo_partners,
    )
