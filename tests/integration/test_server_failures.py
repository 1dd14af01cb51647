"""A postback that fails on our side is processed later; it is never lost and never half processed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from local.stack import Stack
from ricochet.values import times
from tests.integration.functions import denied
from tests.integration.rows import Rows
from tests.waiting import eventually


@pytest.fixture
def click(person, new_product):
    product = new_product()
    return person, product, person.app.click(product.product_id).data["clickId"]


@pytest.mark.parametrize("action", ["dynamodb:UpdateItem", "dynamodb:GetItem"])
def test_a_postback_that_fails_on_our_side_is_queued_and_credited_once(click, public, stack, rows: Rows, action):
    person, product, click_id = click
    report = {"token": product.token, "amount": 5, "transactionId": f"t-{click_id}"}
    with denied(stack, "ReceivePostback", action):
        answer = public.postback(click_id, **report)
        assert answer.status == 202
        assert answer.body["success"] is True
    eventually(lambda: person.app.wallet()["balance"] == 5, "the credit from the queue")
    repeat = public.postback(click_id, **report)
    assert (repeat.status, repeat.data["duplicate"]) == (200, True)
    assert person.app.wallet()["balance"] == 5
    (receipt,) = rows.receipts(click_id)
    assert receipt.outcome == "credited"


def test_a_queued_network_postback_is_credited_and_counts_towards_the_caps(admin, public, person, new_product, stack):
    key = admin.create("networks", name="generic", preset="generic").data["uniqueKey"]
    product = new_product(caps={"perUser": 2})

    def post(click_id, status):
        fields = {"click_id": click_id, "txid": f"t-{click_id}", "payout": "5", "status": status}
        return public.network_postback(key, params=fields).status

    pending, direct, over = (person.app.click(product.product_id).data["clickId"] for _ in range(3))
    assert post(pending, "lead") == 200
    with denied(stack, "ReceiveNetworkPostback", "dynamodb:*"):
        assert post(pending, "approved") == 202
    eventually(lambda: person.app.wallet()["balance"] == 5, "the credit from the queue")
    assert [post(click_id, "approved") for click_id in (direct, over)] == [200, 200]
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["pending"]) == (10, 5)


def test_a_click_that_expires_while_its_postback_is_queued_is_still_credited(
    click, public, stack, rows: Rows, quick_retries
):
    person, product, click_id = click
    with denied(stack, "ReceivePostback", "dynamodb:*"), denied(stack, "RetryPostbacks", "dynamodb:*"):
        assert public.postback(click_id, token=product.token, amount=5).status == 202
        time.sleep(0.01)  # so that it expires after the postback was received
        rows.set("Clicks", {"clickId": click_id}, expiresAt=times.now())
    eventually(lambda: person.app.wallet()["balance"] == 5, "the credit from the queue")
    late = public.postback(click_id, token=product.token, amount=5, transactionId="another")
    assert (late.status, late.code) == (409, "CLICK_ALREADY_CONVERTED")


def test_a_queued_postback_that_is_refused_leaves_a_receipt(click, public, stack, rows: Rows):
    person, _, click_id = click
    with denied(stack, "ReceivePostback", "dynamodb:*"):
        assert public.postback(click_id, token="wrong", amount=5).status == 202
    eventually(lambda: rows.receipts(click_id), "the receipt")
    assert rows.receipts(click_id)[0].outcome == "postback_not_authenticated"
    assert person.app.wallet()["balance"] == 0


def test_the_sender_must_retry_only_when_the_queue_fails_too(click, public, stack):
    person, product, click_id = click
    with denied(stack, "ReceivePostback", "dynamodb:*", "sqs:*"):
        answer = public.postback(click_id, token=product.token, amount=5)
    assert answer.status == 503
    assert answer.body["success"] is False
    assert public.postback(click_id, token=product.token, amount=5).status == 200
    assert person.app.wallet()["balance"] == 5


@pytest.fixture
def quick_retries(stack: Stack) -> Iterator[None]:
    """Retry after seconds instead of six minutes, and as often as it takes."""
    queue_url = stack.outputs["RetryPostbacksQueueUrl"]
    names = ["VisibilityTimeout", "RedrivePolicy"]
    before = stack.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    redrive = json.dumps(json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": 1000})
    stack.aws.sqs.set_queue_attributes(
        QueueUrl=queue_url, Attributes={"VisibilityTimeout": "3", "RedrivePolicy": redrive}
    )
    yield
    stack.aws.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=before)
