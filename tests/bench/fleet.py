"""Many partners in their own process: each on a port, each answering after the same time, or never.

`python -m tests.bench.fleet HEALTHY DEAD LATENCY_MS` prints its ports. For each line of its standard input it prints
when postbacks arrived since the last one and how many were in progress at most; after the line `revive` all answer.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.workspace import ROOT, clean_environment


@dataclass(frozen=True)
class Arrivals:
    """By port: the clock times of postbacks, and how many were in progress at once at most."""

    times: dict[int, list[float]]
    peaks: dict[int, int]


class Fleet:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        ports = json.loads(self._read())
        self.healthy: list[int] = ports["healthy"]
        self.dead: list[int] = ports["dead"]

    def revive(self) -> Arrivals:
        """Let all partners answer from now on."""
        return self.arrivals("revive")

    def arrivals(self, command: str = "") -> Arrivals:
        """Return the arrivals since the last call."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        reply = json.loads(self._read())
        return Arrivals(*({int(port): seen for port, seen in reply[name].items()} for name in ("times", "peaks")))

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def fleet(healthy: int, dead: int, latency_ms: int) -> Iterator[Fleet]:
    command = [sys.executable, "-m", __name__, str(healthy), str(dead), str(latency_ms)]
    with subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Fleet(process)
        finally:
            process.terminate()


class _Partners:
    def __init__(self, latency: float) -> None:
        self._latency = latency
        self.all_alive = False
        self.times: dict[int, list[float]] = {}
        self.peaks: dict[int, int] = {}
        self._busy: dict[int, int] = {}

    async def serve(self, *, alive: bool) -> int:
        serve = self._answer if alive else self._answer_if_revived
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
        port: int = server.sockets[0].getsockname()[1]
        self._busy[port] = 0
        return port

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port: int = writer.get_extra_info("sockname")[1]
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.times.setdefault(port, []).append(time.time())
                self._busy[port] += 1
                self.peaks[port] = max(self.peaks.get(port, 0), self._busy[port])
                await asyncio.sleep(self._latency)
                self._busy[port] -= 1
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer_if_revived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (self._answer if self.all_alive else self._ignore)(reader, writer)

    async def _ignore(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            """Read everything and answer nothing."""
        writer.close()


async def _main(healthy: int, dead: int, latency_ms: int) -> None:
    partners = _Partners(latency_ms / 1000)
    ports = {
        "healthy": [await partners.serve(alive=True) for _ in range(healthy)],
        "dead": [await partners.serve(alive=False) for _ in range(dead)],
    }
    print(json.dumps(ports), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        partners.all_alive |= line.strip() == "revive"
        print(json.dumps({"times": partners.times, "peaks": partners.peaks}), flush=True)
        partners.times, partners.peaks = {}, {}


if __name__ == "__main__":
    asyncio.run(_main(*map(int, sys.argv[1:4])))
