"""A conflict is retried a few times; a failed condition is raised as its own error."""

import pytest
from botocore.exceptions import ClientError

from ricochet.dynamodb.transaction import TRIES, TransactionBusyError, Write, transact
from tests.unit.dynamodb.answers import Answers

CONFLICT = [{"Code": "TransactionConflict"}, {"Code": "None"}]
THROTTLED = [{"Code": "None"}, {"Code": "ThrottlingError"}]
INVALID = [{"Code": "ValidationError"}, {"Code": "None"}]
PASSED = {"Code": "None"}
FAILED = {"Code": "ConditionalCheckFailed"}
FAILED_WITH_ITEM = FAILED | {"Item": {"id": {"S": "a"}, "count": {"N": "7"}}}


class FirstError(Exception):
    pass


class SecondError(Exception):
    pass


def a_write(refused=None) -> Write:
    return Write({"Put": {"TableName": "t", "Item": {"id": {"S": "a"}}}}, refused=refused)


@pytest.fixture
def waits():
    return []


def run(answers, waits, *refusals):
    transact(answers.client, [a_write(refused) for refused in refusals or (None, None)], sleep=waits.append)


@pytest.mark.parametrize("reasons", [CONFLICT, THROTTLED])
def test_a_conflict_is_retried_after_a_delay(waits, reasons):
    answers = Answers(reasons, reasons)
    run(answers, waits)
    assert answers.requests == 3
    assert len(waits) == 2


def test_waits_grow_and_are_jittered(waits):
    for _ in range(50):
        run(Answers(CONFLICT, CONFLICT, CONFLICT), waits)
    assert all(0 <= wait <= 0.05 for wait in waits[0::3])
    assert all(0 <= wait <= 0.2 for wait in waits[2::3])
    assert max(waits[2::3]) > 0.05
    assert len(set(waits)) > 100


@pytest.mark.parametrize(("reasons", "is_conflict"), [(CONFLICT, True), (THROTTLED, False)])
def test_a_busy_transaction_is_tried_four_times(waits, reasons, is_conflict):
    answers = Answers(*[reasons] * 10)
    with pytest.raises(TransactionBusyError) as busy:
        run(answers, waits)
    assert busy.value.is_conflict is is_conflict
    assert answers.requests == TRIES == 4
    assert len(waits) == TRIES - 1


def test_an_error_that_no_retry_can_fix_is_raised_at_once(waits):
    answers = Answers(INVALID)
    with pytest.raises(ClientError) as raised:
        run(answers, waits)
    assert not isinstance(raised.value, TransactionBusyError)
    assert (answers.requests, waits) == (1, [])


@pytest.mark.parametrize(
    ("reasons", "raised"),
    [
        ([FAILED, PASSED], FirstError),
        ([PASSED, FAILED], SecondError),
        ([FAILED, FAILED], FirstError),
        ([{"Code": "TransactionConflict"}, FAILED], SecondError),
    ],
)
def test_the_first_refused_write_decides_which_error_is_raised(waits, reasons, raised):
    answers = Answers(reasons)
    with pytest.raises(raised):
        run(answers, waits, FirstError(), SecondError())
    assert (answers.requests, waits) == (1, [])


def test_an_error_can_be_built_from_the_current_item(waits):
    answers = Answers([PASSED, FAILED_WITH_ITEM])
    with pytest.raises(SecondError) as refused:
        run(answers, waits, None, SecondError)
    assert refused.value.args == ({"id": "a", "count": 7},)
    first, second = (write["Put"] for write in answers.last["TransactItems"])
    assert "ReturnValuesOnConditionCheckFailure" not in first
    assert second["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


@pytest.mark.parametrize("refused", [None, SecondError])
def test_a_failed_condition_without_an_error_is_raised_unchanged(waits, refused):
    answers = Answers([PASSED, FAILED])
    with pytest.raises(ClientError):
        run(answers, waits, FirstError(), refused)
    assert (answers.requests, waits) == (1, [])
