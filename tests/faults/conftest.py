"""Shared by fault tests: misbehaving partners, a sender that must survive them, and the table of results."""

from __future__ import annotations

import gc
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ricochet.http.addresses import AllowedTargets
from ricochet.http.client import Limits, Sender, SendResult
from ricochet.http.deadline import DeadlineSocket
from ricochet.http.outbound import Method, Outbound
from tests.faults.certificates import Authority
from tests.faults.servers import Script, Server, answer, answers
from tests.waiting import PATIENCE

SECRET = "s3cr3t-of-the-partner"


@pytest.fixture
def fault(record_property) -> Callable[[str, str, str], None]:
    """Add a line to the table at the end of the run: the fault, how it was caused, the result."""

    def add(name: str, cause: str, result: str) -> None:
        record_property("fault", (name, cause, result))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for report in terminalreporter.stats.get("passed", []) if report.when == "call"]
    lines = [
        (Path(report.location[0]).stem.removeprefix("test_").replace("_", " "), value)
        for report in reports
        for name, value in report.user_properties
        if name == "fault"
    ]
    if not lines:
        return
    widths = [max(len(line[column]) for _, line in lines) for column in range(2)]
    for title, group in groupby(lines, key=lambda line: line[0]):
        terminalreporter.section(title, sep="-")
        for _, (name, cause, result) in group:
            terminalreporter.write_line(f"{name:<{widths[0]}}  {cause:<{widths[1]}}  {result}")


def result_of(*results: SendResult) -> str:
    """Return the results as the table shows them."""
    return ", then ".join(_result_of(result) for result in results)


def _result_of(result: SendResult) -> str:
    kind = "timed out: " if result.timed_out else "" if result.attempt.status_code else "failed: "
    retry = "" if result.retry_after is None else f", retry after {result.retry_after} s"
    return f"{kind}{result.attempt.error or result.attempt.status_code}{retry}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def _frozen_imports() -> Iterator[None]:
    """Exclude imported objects when tests search all objects for leaks."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def _no_leaks(_frozen_imports) -> Iterator[None]:
    """Fail if sockets or threads are left once servers have stopped and senders were collected."""
    sockets, threads = open_sockets(), set(threading.enumerate())
    yield
    gc.collect()  # threads for lookups end with their resolver
    end = time.monotonic() + PATIENCE
    for thread in set(threading.enumerate()) - threads:
        thread.join(max(0, end - time.monotonic()))
    assert set(threading.enumerate()) <= threads
    assert open_sockets() <= sockets


def open_sockets() -> int:
    """Return how many this process has."""
    return sum(_is_socket(int(descriptor)) for descriptor in os.listdir("/dev/fd"))  # noqa: PTH208 - not a folder of files


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:  # the descriptor of the listing itself
        return False


@pytest.fixture
def serve(_no_leaks) -> Iterator[Callable[..., Server]]:
    """Start a server with these scripts; it stops after the test."""
    with ExitStack() as servers:

        def start(*scripts: Script, **options: Any) -> Server:
            return servers.enter_context(Server(*scripts, **options))

        yield start


class Meeting:
    """A sender, the partner that it must survive, and a healthy one."""

    def __init__(self, sender: Sender, url: str, healthy: Server, at_once: int) -> None:
        self._sender = sender
        self._url = url
        self._healthy = healthy
        self._at_once = at_once
        self._results: list[SendResult] = []
        self._hosts = {healthy.host}

    def send(self, method: Method = Method.GET, url: str | None = None, **parts: Any) -> SendResult:
        """Send a request with a secret in its URL."""
        return self.send_composed(Outbound(method, f"{url or self._url}?token={SECRET}", **parts))

    def send_composed(self, outbound: Outbound) -> SendResult:
        self._hosts.add(urlsplit(outbound.url).netloc)
        self._results.append(self._sender.send(outbound))
        return self._results[-1]

    def end(self) -> None:
        """Check that no record has a secret, a healthy partner is still served, and no connection leaked."""
        assert self._results
        assert SECRET not in str(self._results)
        self._sender._limits = Limits(PATIENCE, PATIENCE)  # the partner's deadline may be too short on a busy machine
        afterwards = self._sender.send(Outbound(Method.GET, f"http://{self._healthy.host}/"))
        assert (afterwards.attempt.status_code, afterwards.attempt.reply) == (200, "healthy")
        kept = [one for one in gc.get_objects() if isinstance(one, DeadlineSocket) and one.fileno() >= 0]
        assert len(kept) <= len(self._hosts) * self._at_once


@pytest.fixture
def meet(serve) -> Iterator[Callable[..., Meeting]]:
    """Create the sender of a test for its partner; after the test it must still serve others."""
    healthy = serve(answers(answer(body=b"healthy")))
    with ExitStack() as ends:

        def start(
            partner: Server | str,
            *more: str,
            scheme: str = "http",
            total: float = PATIENCE,
            connect: float = PATIENCE,
            at_once: int = 1,
            **options: Any,
        ) -> Meeting:
            """`partner`: a server, or a host and port; `more`: other hosts and ports that are allowed."""
            host = partner if isinstance(partner, str) else partner.host
            allowed = AllowedTargets.parse(",".join([host, healthy.host, *more]))
            sender = Sender(allowed, Limits(connect, total), **options)
            meeting = Meeting(sender, f"{scheme}://{host}/pb", healthy, at_once)
            ends.callback(meeting.end)
            return meeting

        yield start
