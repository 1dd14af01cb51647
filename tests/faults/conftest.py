"""What fault tests share: partners that misbehave, a sender that must survive it, and the table of what came of it."""

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
from ricochet.http.deadline import PunctualSocket
from ricochet.http.outbound import Method, Outbound
from tests.faults.certificates import Authority
from tests.faults.servers import PATIENCE, Script, Server, answer, answers

SECRET = "s3cr3t-of-the-partner"


@pytest.fixture
def fault(record_property) -> Callable[[str, str, str], None]:
    """Enters a line into the table at the end of the run: the fault, what was done to us, what came of it."""

    def enter(name: str, done: str, outcome: str) -> None:
        record_property("fault", (name, done, outcome))

    return enter


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
        for _, (name, done, outcome) in group:
            terminalreporter.write_line(f"{name:<{widths[0]}}  {done:<{widths[1]}}  {outcome}")


def click_result(*sents: SendResult) -> str:
    """As the table shows it."""
    return ", then ".join(_outcome_of(sent) for sent in sents)


def _outcome_of(sent: SendResult) -> str:
    kind = "timed out: " if sent.timed_out else "" if sent.attempt.status_code else "failed: "
    wish = "" if sent.retry_after is None else f", again after {sent.retry_after} s"
    return f"{kind}{sent.attempt.error or sent.attempt.status_code}{wish}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def _quick_collections() -> Iterator[None]:
    """Tests look through all objects for what was left behind; what was imported need not be looked at."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def _nothing_is_left_behind(_quick_collections) -> Iterator[None]:
    """Neither sockets nor threads, once servers have stopped and senders are gone."""
    sockets, threads = open_sockets(), set(threading.enumerate())
    yield
    gc.collect()  # threads for lookups end once nobody can want one any more
    end = time.monotonic() + PATIENCE
    for thread in set(threading.enumerate()) - threads:
        thread.join(max(0, end - time.monotonic()))
    assert set(threading.enumerate()) <= threads
    assert open_sockets() <= sockets


def open_sockets() -> int:
    """How many this process has."""
    return sum(_is_socket(int(descriptor)) for descriptor in os.listdir("/dev/fd"))  # noqa: PTH208 - it is no file


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:  # what listed them
        return False


@pytest.fixture
def serve(_nothing_is_left_behind) -> Iterator[Callable[..., Server]]:
    """Starts a server with these scripts; it stops after the test."""
    with ExitStack() as servers:

        def start(*scripts: Script, **options: Any) -> Server:
            return servers.enter_context(Server(*scripts, **options))

        yield start


class Meeting:
    """A sender, the partner that it is to survive, and one that means well."""

    def __init__(self, sender: Sender, url: str, healthy: Server, at_once: int) -> None:
        self._sender = sender
        self._url = url
        self._healthy = healthy
        self._at_once = at_once
        self._sents: list[SendResult] = []
        self._hosts = {healthy.host}

    def send(self, method: Method = Method.GET, url: str | None = None, **parts: Any) -> SendResult:
        """A request with a secret in its URL."""
        return self.send_composed(Outbound(method, f"{url or self._url}?token={SECRET}", **parts))

    def send_composed(self, outbound: Outbound) -> SendResult:
        self._hosts.add(urlsplit(outbound.url).netloc)
        self._sents.append(self._sender.send(outbound))
        return self._sents[-1]

    def end(self) -> None:
        """No secret got into a record, others are served as ever, and no more connections are kept than were used."""
        assert self._sents
        assert SECRET not in str(self._sents)
        afterwards = self._sender.send(Outbound(Method.GET, f"http://{self._healthy.host}/"))
        assert (afterwards.attempt.status_code, afterwards.attempt.reply) == (200, "healthy")
        held = [one for one in gc.get_objects() if isinstance(one, PunctualSocket) and one.fileno() >= 0]
        assert len(held) <= len(self._hosts) * self._at_once


@pytest.fixture
def meet(serve) -> Iterator[Callable[..., Meeting]]:
    """Makes the sender of a test for its partner; after the test it must still be good for others."""
    healthy = serve(answers(answer(body=b"healthy")))
    with ExitStack() as ends:

        def start(
            partner: Server | str,
            *more: str,
            scheme: str = "http",
            total: float = 5,
            connect: float = 2,
            at_once: int = 1,
            **options: Any,
        ) -> Meeting:
            """`partner`: a server, or a host and port; `more`: other such pairs that may be reached."""
            host = partner if isinstance(partner, str) else partner.host
            allowed = AllowedTargets.parse(",".join([host, healthy.host, *more]))
            sender = Sender(allowed, Limits(connect, total), **options)
            meeting = Meeting(sender, f"{scheme}://{host}/pb", healthy, at_once)
            ends.callback(meeting.end)
            return meeting

        yield start
