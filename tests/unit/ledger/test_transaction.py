"""The ledger's one transaction: what it writes, and what each refusal means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ricochet.clicks.product import Caps
from ricochet.errors import LedgerBusyError
from ricochet.ledger.conversion import HoldReason
from ricochet.ledger.earning import WalletChange
from ricochet.ledger.transaction import CapReachedError, EarningExistsError, Ledger, LedgerTables
from ricochet.values.statuses import Status
from tests.unit.builders import TOMORROW, InMemoryLedger, a_product, a_report
from tests.unit.dynamodb.answers import Answers

CONFLICT = [{"Code": "TransactionConflict"}, {"Code": "None"}]
THROTTLED = [{"Code": "None"}, {"Code": "ThrottlingError"}]
EXISTS = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]
INVALID = [{"Code": "ValidationError"}, {"Code": "None"}]


TABLES = LedgerTables(
    **{name: name for name in ("earnings", "wallets", "conversions", "clicks", "receipts", "counters")}
)


def sent_by(action: Callable[[Ledger], None]) -> list[dict[str, Any]]:
    """The writes of the transaction that `action` sends."""
    answers = Answers()
    action(Ledger(answers.client, TABLES))
    return answers.last["TransactItems"]


def credit(answers: Answers, earning) -> None:
    ledger = Ledger(answers.client, LedgerTables(earnings="e", wallets="w"))
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
def test_a_conflict_is_retried(earning, reasons):
    answers = Answers(reasons, reasons)
    credit(answers, earning)
    assert answers.requests == 3


def test_a_busy_ledger_fails_after_four_tries(earning):
    answers = Answers(*[CONFLICT] * 10)
    with pytest.raises(LedgerBusyError):
        credit(answers, earning)
    assert answers.requests == 4


def test_an_existing_row_is_not_retried(earning):
    answers = Answers(EXISTS)
    with pytest.raises(EarningExistsError):
        credit(answers, earning)
    assert answers.requests == 1


def test_an_error_that_no_retry_can_fix_is_raised_at_once(earning):
    answers = Answers(INVALID)
    with pytest.raises(ClientError):
        credit(answers, earning)
    assert answers.requests == 1


def test_a_reached_cap_is_raised_with_its_reason():
    settlement = InMemoryLedger(a_product(caps=Caps(per_user=1, per_day=1))).report(a_report())
    passed, failed = {"Code": "None"}, {"Code": "ConditionalCheckFailed"}
    # conversion, click, row and wallet, then the user's counter and the day's
    answers = Answers([*[passed] * 5, failed])
    with pytest.raises(CapReachedError) as reached:
        Ledger(answers.client, TABLES).write(settlement)
    assert reached.value.reason is HoldReason.OVER_DAILY_CAP
    assert answers.requests == 1


def test_a_count_without_a_limit_has_no_condition():
    history = InMemoryLedger(a_product(approval="manual", caps=Caps(per_user=1)))
    held = history.report(a_report()).conversion
    sent = sent_by(lambda ledger: ledger.write(history.decide(held.conversion_id, Status.APPROVED)))
    (counter,) = [write["Update"] for write in sent if write.get("Update", {}).get("TableName") == "counters"]
    assert counter["UpdateExpression"] == "ADD counted :one"
    assert "ConditionExpression" not in counter


def test_a_credited_row_leaves_its_indexes():
    history = InMemoryLedger(a_product(hold_days=1))
    owed = history.report(a_report()).conversion
    sent = sent_by(lambda ledger: ledger.write(history.release(owed.conversion_id, TOMORROW)))
    (row,) = [write["Update"] for write in sent if write.get("Update", {}).get("TableName") == "earnings"]
    sets, _, removes = row["UpdateExpression"].partition(" REMOVE ")
    assert {"#waitingShard", "#creditShard", "#creditAfter", "#reason"} == set(removes.split(", "))
    assert {"#status = :status", "#creditedAt = :creditedAt"} < set(sets.removeprefix("SET ").split(", "))
    assert row["ExpressionAttributeValues"][":wasPending"] == {"S": "pending"}
    assert not [write for write in sent if "receipts" in str(write)]
