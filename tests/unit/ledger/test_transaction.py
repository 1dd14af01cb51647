"""The ledger's loop: conflicts are tried again, a few times, and everything else is told as what it is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from ricochet.clicks.product import Caps
from ricochet.errors import LedgerBusyError
from ricochet.ledger.conversion import HoldReason
from ricochet.ledger.earning import WalletChange
from ricochet.ledger.transaction import TRIES, CapReachedError, EarningExistsError, Ledger, LedgerTables
from ricochet.values.statuses import Status
from tests.unit.builders import TOMORROW, Books, a_product, a_report

CONFLICT = [{"Code": "TransactionConflict"}, {"Code": "None"}]
THROTTLED = [{"Code": "None"}, {"Code": "ThrottlingError"}]
EXISTS = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]
INVALID = [{"Code": "ValidationError"}, {"Code": "None"}]


TABLES = LedgerTables(
    **{name: name for name in ("earnings", "wallets", "conversions", "clicks", "receipts", "counters")}
)


class Answers:
    """A real client whose requests are answered with these cancellations in turn, and then with success."""

    def __init__(self, *cancellations: list[dict[str, str]]) -> None:
        self.left = list(cancellations)
        self.requests = 0
        self.client = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.client.meta.events.register("before-send.dynamodb", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        self.requests += 1
        self.last = json.loads(request.body)
        body: dict[str, Any] = {}
        if self.left:
            body = {
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "message": "Transaction cancelled",
                "CancellationReasons": self.left.pop(0),
            }
        content = json.dumps(body).encode()
        headers = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 400 if body else 200, headers, _Raw(content))

    def sent_by(self, action: Callable[[Ledger], None]) -> list[dict[str, Any]]:
        """The writes of the transaction that `action` sends."""
        action(Ledger(self.client, TABLES))
        return self.last["TransactItems"]


class _Raw(io.BytesIO):
    def stream(self, **_: Any):
        yield self.read()


@pytest.fixture
def waits():
    return []


def credit(answers: Answers, waits: list[float], earning) -> None:
    ledger = Ledger(answers.client, LedgerTables(earnings="e", wallets="w"), sleep=waits.append)
    ledger.credit(earning, WalletChange(user_id="u", currency="USD", balance=1))


@pytest.fixture
def earning():
    from ricochet.ledger.earning import Earning  # noqa: PLC0415

    return Earning.from_item(
        {
            "userId": "u",
            "earningId": "EARN-1",
            "type": "referral",
            "amount": 1,
            "currency": "USD",
            "status": "completed",
            "approvalStatus": "auto_approved",
            "productId": "p",
            "conversionId": "CONV-1",
            "earnedAt": "2026-01-31T09:30:00.000Z",
        }
    )


@pytest.mark.parametrize("reasons", [CONFLICT, THROTTLED])
def test_a_conflict_is_retried_after_a_delay(waits, earning, reasons):
    answers = Answers(reasons, reasons)
    credit(answers, waits, earning)
    assert answers.requests == 3
    assert len(waits) == 2


def test_waits_grow_and_are_jittered(waits, earning):
    for _ in range(50):
        credit(Answers(CONFLICT, CONFLICT, CONFLICT), waits, earning)
    assert all(0 <= wait <= 0.05 for wait in waits[0::3])
    assert all(0 <= wait <= 0.2 for wait in waits[2::3])
    assert max(waits[2::3]) > 0.05
    assert len(set(waits)) > 100


def test_a_ledger_that_stays_busy_fails_after_four_tries(waits, earning):
    answers = Answers(*[CONFLICT] * 10)
    with pytest.raises(LedgerBusyError):
        credit(answers, waits, earning)
    assert answers.requests == TRIES == 4
    assert len(waits) == TRIES - 1


def test_an_existing_row_is_not_retried(waits, earning):
    answers = Answers(EXISTS)
    with pytest.raises(EarningExistsError):
        credit(answers, waits, earning)
    assert (answers.requests, waits) == (1, [])


def test_an_error_that_no_retry_can_fix_is_raised_at_once(waits, earning):
    answers = Answers(INVALID)
    with pytest.raises(ClientError):
        credit(answers, waits, earning)
    assert (answers.requests, waits) == (1, [])


def test_a_reached_cap_is_raised_with_its_reason(waits):
    settlement = Books(a_product(caps=Caps(per_user=1, per_day=1))).tell(a_report())
    passed, failed = {"Code": "None"}, {"Code": "ConditionalCheckFailed"}
    # conversion, click, row and wallet, then the user's counter and the day's
    answers = Answers([*[passed] * 5, failed])
    with pytest.raises(CapReachedError) as reached:
        Ledger(answers.client, TABLES, sleep=waits.append).write(settlement)
    assert reached.value.reason is HoldReason.OVER_DAILY_CAP
    assert (answers.requests, waits) == (1, [])


def test_a_count_without_a_limit_has_no_condition():
    books = Books(a_product(approval="manual", caps=Caps(per_user=1)))
    held = books.tell(a_report()).conversion
    sent = Answers().sent_by(lambda ledger: ledger.write(books.decide(held.conversion_id, Status.APPROVED)))
    (counter,) = [write["Update"] for write in sent if write.get("Update", {}).get("TableName") == "counters"]
    assert counter["UpdateExpression"] == "ADD counted :one"
    assert "ConditionExpression" not in counter


def test_a_credited_row_leaves_its_indexes():
    books = Books(a_product(hold_days=1))
    owed = books.tell(a_report()).conversion
    sent = Answers().sent_by(lambda ledger: ledger.write(books.release(owed.conversion_id, TOMORROW)))
    (row,) = [write["Update"] for write in sent if write.get("Update", {}).get("TableName") == "earnings"]
    sets, _, removes = row["UpdateExpression"].partition(" REMOVE ")
    assert {"#waitingShard", "#creditShard", "#creditAfter", "#reason"} == set(removes.split(", "))
    assert {"#status = :status", "#creditedAt = :creditedAt"} < set(sets.removeprefix("SET ").split(", "))
    assert row["ExpressionAttributeValues"][":wasPending"] == {"S": "pending"}
    assert not [write for write in sent if "receipts" in str(write)]
