"""The real template on its own embedded AWS, and the handlers of its functions in this process."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from local import stack as stacks
from local.emulator import Emulator
from local.stack import Stack
from local.workspace import clean_environment, free_port

CONTEXT = SimpleNamespace(
    function_name="bench",
    function_version="$LATEST",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench",
    aws_request_id="8f7d1c2a-5b6e-4f3a-9d8c-7b6a5f4e3d2c",
    get_remaining_time_in_millis=lambda: 25_000,
)


@dataclass(frozen=True)
class Deployed:
    stack: Stack
    endpoint_url: str
    settings: dict[str, dict[str, str]]
    """The environment variables of each function, by its logical id."""


@contextmanager
def deployed(folder: Path, build: Path, **parameters: str) -> Iterator[Deployed]:
    emulator = Emulator(free_port(), folder, keep_state=False)
    try:
        emulator.start()
        stack = stacks.deploy(emulator, **parameters)
        settings = {name: _settings(stack, name) for name in functions_of(build)}
        yield Deployed(stack, emulator.endpoint_url, settings)
    finally:
        emulator.stop()


def functions_of(build: Path) -> list[str]:
    """Return the logical ids of the functions in a build."""
    return sorted(path.parent.name for path in build.glob("*/app.py"))


def become_lambda(running: Deployed) -> None:
    """Give this process the environment of all functions; they differ only in the name of the service."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(clean_environment(AWS_ENDPOINT_URL=running.endpoint_url))
    for settings in running.settings.values():
        os.environ.update(settings)


def work(function: str, event: dict[str, Any]) -> Any:
    """Return the result of the handler."""
    return importlib.import_module(f"functions.{function}.app").handler(event, CONTEXT)


def invoke(function: str, event: dict[str, Any]) -> dict[str, Any]:
    """Return the handler's answer; AssertionError unless it is a success."""
    answer: dict[str, Any] = work(function, event)
    assert answer["statusCode"] in (200, 201), answer
    return answer


@contextmanager
def output_discarded() -> Iterator[None]:
    """Write logs and metrics to nowhere."""
    with Path(os.devnull).open("wb") as nowhere, _printing_to(nowhere):
        yield


@contextmanager
def output_counted() -> Iterator[Callable[[], int]]:
    """Write logs and metrics to a temporary file; yield a function that returns its size in bytes."""

    def printed() -> int:
        sys.stdout.flush()
        return os.fstat(file.fileno()).st_size

    with tempfile.TemporaryFile() as file, _printing_to(file):
        yield printed


@contextmanager
def _printing_to(file: IO[bytes]) -> Iterator[None]:
    sys.stdout.flush()
    terminal = os.dup(1)
    try:
        os.dup2(file.fileno(), 1)
        yield
        sys.stdout.flush()
    finally:
        os.dup2(terminal, 1)
        os.close(terminal)


def _settings(stack: Stack, function: str) -> dict[str, str]:
    configuration = stack.aws.lambda_.get_function_configuration(FunctionName=stack.function(function))
    return configuration["Environment"]["Variables"]
