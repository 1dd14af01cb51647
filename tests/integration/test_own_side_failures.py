"""When our own side fails, a postback is taken in later; it is never lost and never half done."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import boto3
import pytest

from local.stack import Stack
from ricochet.values import times
from tests.integration.conftest import Rows, eventually


@contextlib.contextmanager
def forbidden(stack: Stack, function: str, *actions: str) -> Iterator[None]:
    """A function whose role has lost some rights: its calls fail as they would on AWS."""
    iam = boto3.client(
        "iam",
        endpoint_url=stack.aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    configuration = stack.aws.lambda_.get_function_configuration(FunctionName=stack.function(function))
    role = configuration["Role"].rpartition("/")[2]
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="broken", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="broken")


@pytest.fixture
def click(person, new_product):
    product = new_product()
    return person, product, person.app.click(product.product_id).data["clickId"]


@pytest.mark.parametrize("action", ["dynamodb:UpdateItem", "dynamodb:GetItem"])
def test_a_postback_that_we_cannot_take_in_is_queued_and_credited_once(click, public, stack, rows: Rows, action):
    person, product, click_id = click
    report = {"token": product.token, "amount": 5, "transactionId": f"t-{click_id}"}
    with forbidden(stack, "ReceivePostback", action):
        answer = public.postback(click_id, **report)
        assert answer.status == 202
        assert answer.body["success"] is True
    eventually(lambda: person.app.wallet()["balance"] == 5, "the credit from the queue")
    repeat = public.postback(click_id, **report)
    assert (repeat.status, repeat.data["duplicate"]) == (200, True)
    assert person.app.wallet()["balance"] == 5
    (receipt,) = rows.receipts(click_id)
    assert receipt.outcome == "credited"


def test_so_is_what_a_network_posts_and_what_it_approves_counts_towards_the_caps(
    admin, public, person, new_product, stack
):
    key = admin.create("networks", name="generic", preset="generic").data["uniqueKey"]
    product = new_product(caps={"perUser": 2})

    def post(click_id, status):
        fields = {"click_id": click_id, "txid": f"t-{click_id}", "payout": "5", "status": status}
        return public.network_postback(key, params=fields).status

    pending, direct, over = (person.app.click(product.product_id).data["clickId"] for _ in range(3))
    assert post(pending, "lead") == 200
    with forbidden(stack, "ReceiveNetworkPostback", "dynamodb:*"):
        assert post(pending, "approved") == 202
    eventually(lambda: person.app.wallet()["balance"] == 5, "the credit from the queue")
    assert [post(click_id, "approved") for click_id in (direct, over)] == [200, 200]
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["pending"]) == (10, 5)


def test_a_click_that_expires_while_its_postback_is_queued_is_still_paid(click, public, stack, rows: Rows, impatient):
    person, product, click_id = click
    with forbidden(stack, "ReceivePostback", "dynamodb:*"), forbidden(stack, "RetryPostbacks", "dynamodb:*"):
        assert public.postback(click_id, token=product.token, amount=5).status == 202
        time.sleep(0.01)
        rows.set("Clicks", {"clickId": click_id}, expiresAt=times.now())
    eventually(lambda: person.app.wallet()["balance"] == 5, "the credit from the queue")
    late = public.postback(click_id, token=product.token, amount=5, transactionId="another")
    assert (late.status, late.code) == (409, "CLICK_ALREADY_CONVERTED")


def test_a_queued_postback_that_is_refused_after_all_leaves_a_receipt(click, public, stack, rows: Rows):
    person, _, click_id = click
    with forbidden(stack, "ReceivePostback", "dynamodb:*"):
        assert public.postback(click_id, token="wrong", amount=5).status == 202
    eventually(lambda: rows.receipts(click_id), "the receipt")
    assert rows.receipts(click_id)[0].outcome == "postback_not_authenticated"
    assert person.app.wallet()["balance"] == 0


def test_only_when_the_queue_is_out_of_reach_too_the_sender_is_asked_to_come_back(click, public, stack):
    person, product, click_id = click
    with forbidden(stack, "ReceivePostback", "dynamodb:*", "sqs:*"):
        answer = public.postback(click_id, token=product.token, amount=5)
    assert answer.status == 503
    assert answer.body["success"] is False
    assert public.postback(click_id, token=product.token, amount=5).status == 200
    assert person.app.wallet()["balance"] == 5


@pytest.fixture
def impatient(stack: Stack) -> Iterator[None]:
    """What fails is tried again after a second, not after six minutes."""
    queue_url = stack.outputs["RetryPostbacksQueueUrl"]
    was = stack.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    stack.aws.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    yield
    stack.aws.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=was)
