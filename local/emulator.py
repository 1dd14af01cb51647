"""The embedded AWS (MiniStack) as a child process, bound to 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import requests

from local.workspace import LOCAL, REGION, LocalError, clean_environment, is_free

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

PROGRAM = (str(LOCAL / "ministack/bin/ministack"),)
START_SECONDS = 180
STOP_SECONDS = 60


@dataclass(frozen=True)
class Aws:
    """Clients of the embedded AWS, with the rights of its root user."""

    endpoint_url: str

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106

    @cached_property
    def apigatewayv2(self) -> ApiGatewayV2Client:
        return self._session.client("apigatewayv2", endpoint_url=self.endpoint_url)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        return self._session.client("cloudformation", endpoint_url=self.endpoint_url)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        return self._session.client("cloudwatch", endpoint_url=self.endpoint_url)

    @cached_property
    def cognito(self) -> CognitoIdentityProviderClient:
        return self._session.client("cognito-idp", endpoint_url=self.endpoint_url)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self._session.client("dynamodb", endpoint_url=self.endpoint_url)

    @cached_property
    def events(self) -> EventBridgeClient:
        return self._session.client("events", endpoint_url=self.endpoint_url)

    @cached_property
    def lambda_(self) -> LambdaClient:
        return self._session.client("lambda", endpoint_url=self.endpoint_url)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        return self._session.client("logs", endpoint_url=self.endpoint_url)

    @cached_property
    def s3(self) -> S3Client:
        return self._session.client("s3", endpoint_url=self.endpoint_url)

    @cached_property
    def sqs(self) -> SQSClient:
        return self._session.client("sqs", endpoint_url=self.endpoint_url)


class Emulator:
    """One MiniStack. It enforces IAM (`AUTH`): functions can do only what their roles allow on AWS."""

    def __init__(self, port: int, folder: Path, *, keep_state: bool, program: Sequence[str] = PROGRAM) -> None:
        self.program = program
        self.port = port
        self.folder = folder
        self.keep_state = keep_state
        self.endpoint_url = f"http://127.0.0.1:{port}"
        self.aws = Aws(self.endpoint_url)
        self.log = folder / "emulator.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise LocalError("the embedded AWS is not running")
        return self._process.pid

    def start(self) -> None:
        """Return when it answers; raise LocalError if it does not within START_SECONDS."""
        if not is_free(self.port):
            raise LocalError(f"port {self.port} is in use: choose another one with PORT=, or run `make down` first")
        _forget_stream_positions(self.folder / "state/lambda.json")
        scratch = self.folder / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        environment = clean_environment(
            AUTH="true",
            BIND_HOST="127.0.0.1",
            GATEWAY_PORT=str(self.port),
            IOT_MTLS_ENABLED="0",
            LOG_LEVEL="WARNING",
            MINISTACK_HOST="127.0.0.1",
            PERSIST_STATE="1" if self.keep_state else "0",
            S3_PERSIST="1" if self.keep_state else "0",
            STATE_DIR=str(self.folder / "state"),
            S3_DATA_DIR=str(self.folder / "s3"),
            TMPDIR=str(scratch),
            POWERTOOLS_LOG_DEDUPLICATION_DISABLED="true",
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self.program,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                if requests.get(f"{self.endpoint_url}/_ministack/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        raise LocalError(f"the embedded AWS did not start: see {self.log}")

    def stop(self) -> None:
        if self._process is not None:
            stop_group(self._process.pid, signal.SIGTERM if self.keep_state else signal.SIGKILL)
            self._process.wait(timeout=STOP_SECONDS)
            self._process = None
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)


def _forget_stream_positions(state: Path) -> None:
    """Delete the readers' positions, which MiniStack keeps without the streams: readers would skip new records."""
    if not state.exists():
        return
    content = json.loads(state.read_text())
    if content["payload"].pop("dynamodb_stream_positions", None) is not None:
        state.write_text(json.dumps(content))


def stop_group(leader: int, first: signal.Signals = signal.SIGTERM) -> None:
    """End a process group that we started, and wait until its leader has ended."""
    for number in (first, signal.SIGKILL):
        try:
            os.kill(leader, number) if number is signal.SIGTERM else os.killpg(leader, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + STOP_SECONDS / 2
        while time.monotonic() < deadline:
            if not _runs(leader):
                break
            time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
