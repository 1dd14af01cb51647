"""Credits under pressure: eight threads, every postback three times, and a fifth of all transactions refused."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from ricochet import clients
from ricochet.dynamodb.wire import from_wire
from ricochet.errors import ServerFailureError
from ricochet.intake.advertiser_source import AdvertiserSource
from ricochet.intake.intake import Intake
from ricochet.intake.postback_queue import PostbackQueue
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.settings import PostbackSettings
from ricochet.ledger.earning import Earning, Wallet
from ricochet.values import times
from ricochet.values.statuses import EarningStatus
from tests.bench.calls import click_id_of
from tests.bench.cpu import Stream
from tests.bench.deployed import Deployed, invoke, output_discarded
from tests.bench.report import Row
from tests.bench.traffic import Visitor, visitors
from tests.waiting import PATIENCE

THREADS, COPIES, CLICKS, USERS = 8, 3, 120, 5
REFUSED_SHARE = 0.2


class Conflicts:
    """Answers some transactions as DynamoDB does in a conflict; nothing is written then."""

    def __init__(self) -> None:
        self.count = 0
        self._chance, self._lock = random.Random(5), threading.Lock()

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        if not request.headers["X-Amz-Target"].endswith(b".TransactWriteItems"):
            return None
        with self._lock:
            if self._chance.random() > REFUSED_SHARE:
                return None
            self.count += 1
        error = {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled",
            "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
        }
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 400, headers, Stream(json.dumps(error).encode()))


def rows(running: Deployed) -> list[Row]:
    everyone = visitors()[:CLICKS]
    people = [f"bench-user-{number}" for number in range(USERS)]
    conflicts, chance = Conflicts(), random.Random(7)
    with output_discarded():
        events = [_click_and_report(visitor, people[number % USERS]) for number, visitor in enumerate(everyone)]
        work = events * COPIES
        chance.shuffle(work)
        client = clients.dynamodb()
        client.meta.events.register("before-send.dynamodb.TransactWriteItems", conflicts)
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                answers = Counter(pool.map(_Intake(), work))
        finally:
            client.meta.events.unregister("before-send.dynamodb.TransactWriteItems", conflicts)
    assert conflicts.count > CLICKS * REFUSED_SHARE / 2, "too few conflicts to prove anything"
    earnings, balances = _wait_for_all(running, people)
    credited = [row for row in earnings if row.status is EarningStatus.COMPLETED]
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in credited:
        sums[row.user_id] += row.amount
    return [
        Row("transactions refused", conflicts.count),
        Row("postbacks queued and processed later", answers[202]),
        Row(f"credits / distinct conversions, {THREADS} threads", len(credited) / CLICKS, 1.0, exact=True),
        Row(
            "sum of earnings / balance, of the user furthest from 1",
            max((float(sums[user] / balances[user]) for user in people), key=lambda ratio: abs(ratio - 1)),
            1.0,
            exact=True,
        ),
    ]


def _click_and_report(visitor: Visitor, user_id: str) -> dict[str, Any]:
    """Create a click; return the event that reports it."""
    click_id = click_id_of(invoke("create_click", replace(visitor, user_id=user_id).click()))
    return replace(visitor, conversion=visitor.conversion | {"transactionId": f"t-{click_id}"}).postback(click_id)


class _Intake:
    """Does what the function that receives postbacks does, which serves only one request at a time."""

    def __init__(self) -> None:
        settings, client = PostbackSettings.load(os.environ), clients.dynamodb()
        self._intake, self._advertisers = (
            Intake.from_settings(client, settings),
            AdvertiserSource.from_settings(client, settings),
        )
        self._queue = PostbackQueue(clients.sqs(), os.environ["POSTBACK_QUEUE_URL"])

    def __call__(self, event: dict[str, Any]) -> int:
        raw = RawPostback.from_event(event, times.now())
        try:
            self._intake(raw, self._advertisers)
        except ServerFailureError:
            self._queue.put(raw)
            return 202
        return 200


def _wait_for_all(running: Deployed, people: list[str]) -> tuple[list[Earning], dict[str, Decimal]]:
    """Return earnings and balances once queued postbacks are in the ledger too."""
    deadline = time.monotonic() + PATIENCE
    while True:
        earnings = [Earning.from_item(row) for row in _scan(running, "Earnings") if row["userId"] in people]
        if len(earnings) >= CLICKS or time.monotonic() > deadline:
            wallets = [Wallet.from_item(row) for row in _scan(running, "Wallets") if row["userId"] in people]
            return earnings, {wallet.user_id: wallet.balance for wallet in wallets}
        time.sleep(0.5)


def _scan(running: Deployed, table: str) -> list[dict[str, Any]]:
    pages = running.stack.aws.dynamodb.get_paginator("scan").paginate(
        TableName=running.stack.table(table), ConsistentRead=True
    )
    return [from_wire(item) for page in pages for item in page["Items"]]
