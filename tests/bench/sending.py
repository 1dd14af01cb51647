"""Sends to partners: their CPU beside that of a bare urllib3 pool, and the number of connections."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from urllib.parse import urlsplit
from uuid import uuid4

from urllib3 import HTTPConnectionPool

from ricochet.delivery.delivery import DeliveryState, new_delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.request import compose
from ricochet.http.addresses import AllowedTargets
from ricochet.http.client import FIRST_ATTEMPT, Sender
from ricochet.http.outbound import Method, Outbound
from ricochet.ledger.notice import Notice
from ricochet.values import times
from ricochet.values.signing import new_secret
from ricochet.values.statuses import Status
from tests.bench.report import Row

ROUNDS = 15
DIFFERENT_URLS = 150  # more than `urllib` caches
HOSTS, SENDS_PER_HOST = 200, 5
CPU_RATIO = 1.5
_TEMPLATE = (
    "http://127.0.0.1:{port}/postback/v2/conversion?clickid={{click_id}}&status={{status}}&payout={{payout}}"
    "&currency={{currency}}&txid={{transaction_id}}&token=3f9Zb1kQ8sXw2LrT&ts={{timestamp}}"
)


def rows() -> list[Row]:
    with _partner(HOSTS) as ports:
        sender = Sender(AllowedTargets(frozenset(("127.0.0.1", port) for port in ports)), FIRST_ATTEMPT)
        connections = _sweep(sender, ports)
        return [
            Row(f"connections for {HOSTS * SENDS_PER_HOST} sends over {HOSTS} hosts", connections, HOSTS, exact=True),
            *(
                Row(f"CPU of one guarded {method} / a bare urllib3 pool", _ratio(sender, ports[0], method), CPU_RATIO)
                for method in Method
            ),
        ]


@contextmanager
def _partner(count: int) -> Iterator[list[int]]:
    """Yield the ports of a partner that listens on so many."""
    command = [sys.executable, "-m", "tests.bench.quick_partner", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def _sweep(sender: Sender, ports: list[int]) -> int:
    """Send to each port several times in turn; return how many connections the partner has accepted."""
    outbounds = [_outbound(port, Method.GET) for port in ports]
    return max(int(_send(sender, outbound)) for _ in range(SENDS_PER_HOST) for outbound in outbounds)


def _ratio(sender: Sender, port: int, method: Method) -> float:
    """Return the median over rounds, each of which measures both so that a slow moment affects both."""
    pool = HTTPConnectionPool("127.0.0.1", port)
    outbounds = [_outbound(port, method) for _ in range(DIFFERENT_URLS)]
    bare = [partial(_send_bare, pool, _target(outbound.url), outbound) for outbound in outbounds]
    guarded = [partial(_send, sender, outbound) for outbound in outbounds]
    return median([_seconds(guarded) / _seconds(bare) for _ in range(ROUNDS + 1)][1:])  # the first warms up


def _outbound(port: int, method: Method) -> Outbound:
    now = times.now()
    notice = Notice(
        click_id=str(uuid4()),
        status=Status.APPROVED,
        original_status="sale",
        payout="2.5",
        currency="USD",
        conversion_id="CONV-5D41402ABC4B2A76B9719D91",
        transaction_id=str(uuid4()),
        timestamp=now,
    )
    delivery = new_delivery(notice.conversion_id, 1, "part_1", notice, now, state=DeliveryState.RETRYING)
    partner = Partner(
        partner_id="part_1",
        name="Partner",
        postback_url=_TEMPLATE.format(port=port),
        method=method,
        signing_secret=new_secret(),
        created_at=now,
        updated_at=now,
    )
    return compose(delivery, partner, now)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _send(sender: Sender, outbound: Outbound) -> str:
    attempt = sender.send(outbound).attempt
    assert attempt.status_code == 200, attempt
    return attempt.reply or ""


def _send_bare(pool: HTTPConnectionPool, target: str, outbound: Outbound) -> bytes:
    return pool.urlopen(
        outbound.method,
        target,
        body=outbound.body,
        headers=outbound.headers,
        timeout=FIRST_ATTEMPT.total,
        redirect=False,
        retries=False,
    ).data


def _seconds(sends: Iterable[Callable[[], object]]) -> float:
    """Return the CPU seconds of this process, which is only the sender."""
    started = time.process_time()
    for send in sends:
        send()
    return time.process_time() - started
