"""What operators change with the command line, written down in a log group of the stack as the API's changes are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError

from ops import render
from ops.stacks import OperatorError, Stack
from ricochet.audit import line_of_change, line_of_run
from ricochet.values import times
from ricochet.values.entity import Entity

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

RIGHTS = "logs:CreateLogStream and logs:PutLogEvents"


class Journal:
    """The lines `audit` of one command, in the stream of the day."""

    def __init__(self, stack: Stack) -> None:
        self._logs = stack.logs
        self._group = stack.output("OpsLogGroup")
        self._stream = times.now()[:10]
        self._who = stack.operator
        self.is_complete = True

    def reach(self) -> None:
        """OperatorError where the log group is not to be had."""
        try:
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except self._logs.exceptions.ResourceAlreadyExistsException:
            return
        except (ClientError, BotoCoreError) as error:
            raise OperatorError(
                f"nothing was changed, since it could not be written down in the log group {self._group}: {error}. "
                f"Changes need {RIGHTS} on it; if it is gone, deploy again"
            ) from error

    def changed(
        self,
        action: str,
        resource_id: str,
        before: Entity,
        after: Entity,
        reason: str | None = None,
        **about: str | None,
    ) -> None:
        """What differs now, nothing if nothing does; `about` are ids that the line can be found by."""
        line = line_of_change(self._who, action, resource_id, before, after, reason)
        if line:
            self._write(line, about)

    def ran(self, action: str, resource_id: str, result: dict[str, Any]) -> None:
        """What was set going for many at once, and what came of it in numbers."""
        self._write(line_of_run(self._who, action, resource_id, result), {})

    def _write(self, line: dict[str, Any], about: dict[str, str | None]) -> None:
        """What was done is done: a line that cannot be written is shown, so that it is not lost."""
        moment = times.now()
        known = {name: one for name, one in about.items() if one}
        whole = {"level": "INFO", "message": "audit", "timestamp": moment, "service": "ops", **known, "audit": line}
        text = json.dumps(whole, default=str)
        event: InputLogEventTypeDef = {"timestamp": times.epoch_milliseconds(moment), "message": text}
        problem = self._problem_with(event)
        if problem:
            self.is_complete = False
            render.error(f"it is done, but could not be written down in {self._group}: {problem}. Keep this line:")
            render.print_line(text, stderr=True)

    def _problem_with(self, event: InputLogEventTypeDef) -> object:
        """What kept it from being written, if anything did; a time that AWS finds wrong is no error to it."""
        try:
            reply = self._logs.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=[event])
        except (ClientError, BotoCoreError) as error:
            return error
        return reply.get("rejectedLogEventsInfo")


@contextmanager
def opened(stack: Stack) -> Iterator[Journal]:
    """For one command's changes: refuses before they are made if they cannot be written down.

    If that turns out only afterwards, the command shows what it has to show and then ends with exit code 1.
    """
    journal = Journal(stack)
    journal.reach()
    yield journal
    if not journal.is_complete:
        raise typer.Exit(1)
