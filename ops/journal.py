"""Records changes by the command line in a log group of the stack, as the API records its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from ops import render
from ops.stacks import OperatorError, Stack
from ricochet.values import times
from ricochet.values.change import Audit

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

RIGHTS = "logs:CreateLogStream and logs:PutLogEvents"


class Journal(Audit):
    """Writes the `audit` lines of one command to the log stream of the day."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stream = times.now()[:10]
        self.is_complete = True

    @property
    def who(self) -> str:
        return self._stack.operator

    @property
    def _group(self) -> str:
        return self._stack.output("OpsLogGroup")

    def reach(self) -> None:
        """Raise OperatorError if the log group cannot be written to."""
        try:
            self._stack.logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except self._stack.logs.exceptions.ResourceAlreadyExistsException:
            return
        except (ClientError, BotoCoreError) as error:
            raise OperatorError(
                f"nothing was changed, because the change cannot be recorded in the log group {self._group}: {error}. "
                f"You need {RIGHTS} on it; if it does not exist, deploy again"
            ) from error

    def write(self, line: dict[str, Any], ids: Mapping[str, str]) -> None:
        """Write a line; show it if that fails, because the change has already been made."""
        moment = times.now()
        whole = {"level": "INFO", "message": "audit", "timestamp": moment, "service": "ops", **ids, "audit": line}
        text = json.dumps(whole, default=str)
        event: InputLogEventTypeDef = {"timestamp": times.epoch_milliseconds(moment), "message": text}
        problem = self._problem_with(event)
        if problem:
            self.is_complete = False
            render.error(f"the change was made, but could not be recorded in {self._group}: {problem}. Keep this line:")
            render.print_line(text, stderr=True)

    def _problem_with(self, event: InputLogEventTypeDef) -> object:
        """Return why the event was not written, or None. AWS reports a wrong timestamp in its answer only."""
        try:
            reply = self._stack.logs.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=[event]
            )
        except (ClientError, BotoCoreError) as error:
            return error
        return reply.get("rejectedLogEventsInfo")


@contextmanager
def opened(stack: Stack) -> Iterator[Journal]:
    """Open the journal for one command; raise OperatorError before any change if it cannot be written to.

    If writing fails after the change, the command still shows its output, then ends with exit code 1.
    """
    journal = Journal(stack)
    journal.reach()
    yield journal
    if not journal.is_complete:
        raise typer.Exit(1)
