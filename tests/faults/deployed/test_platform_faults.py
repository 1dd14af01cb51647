"""Our own platform fails in the middle of things: nothing is lost, and twice is only what a crash made unavoidable."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time

import pytest

from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.queues import DeliveryMessage
from tests.faults.deployed.conftest import QUEUE_READER, STREAM_READER
from tests.integration.conftest import eventually
from tests.integration.telling import path

PAST = "2020-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("death", "is_repeated"),
    [
        ("killed before it sends", False),
        ("killed after the answer, before the row", True),
        ("killed after the row, before the message", False),
        ("killed after the message, before the acknowledgement", False),
    ],
)
def test_the_distribution_is_killed(told, oracle, platform, conversions, death, is_repeated, fault):
    """Two partners are told; then the stream brings the record again, to the deployed function."""
    told.partner(path("ok"))
    told.partner(path("ok"))
    with platform.withheld(STREAM_READER):
        time.sleep(1)
        event = platform.stream_event(*conversions(1))
        assert platform.invoke(STREAM_READER, event, death).was_killed
        sent = oracle.asked()
    assert sent == (0 if death == "killed before it sends" else pytest.approx(2, abs=1 * is_repeated))
    fault(death, "SIGKILL in distribute_conversions", oracle.reconcile(2, sent * is_repeated))


@pytest.mark.parametrize(
    ("death", "is_repeated"),
    [
        ("killed before it sends", False),
        ("killed after the answer, before the record", True),
        ("killed after the record, before the message", False),
        ("killed after the message, before the acknowledgement", False),
    ],
)
def test_a_retry_is_killed(told, oracle, partners, platform, rows, death, is_repeated, fault):
    where = path("as-told")
    told.partner(where)
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        time.sleep(1)
        told.convert()
        row = told.row(DeliveryState.RETRYING)
        partners.answers[where] = 200
        with platform.received(row) as event:
            assert platform.invoke(QUEUE_READER, event, death).was_killed
            (now,) = told.rows()
            if now.lease_until:
                key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
                rows.set("Deliveries", key, leaseUntil=PAST)  # whoever began it is known to be dead by now
    fault(death, "SIGKILL in retry_deliveries", oracle.reconcile(1, int(is_repeated)))


def test_time_runs_out_in_the_middle_of_a_batch(told, oracle, partners, platform, conversions, fault):
    """With less than the spare ten seconds left nothing is begun: all goes to the queue, and is told from there."""
    told.partner(path("ok"))
    with platform.withheld(STREAM_READER):
        time.sleep(1)
        event = platform.stream_event(*conversions(5))
        invoked = platform.invoke(STREAM_READER, event, seconds=9)
        assert invoked.returncode == 0, invoked.output
        assert oracle.asked() <= 5
    fault("time runs out", "9 s left of the invocation", oracle.reconcile(5))


def test_lambda_times_out_in_the_middle_of_a_batch(told, oracle, partners, platform, conversions, fault):
    """One partner has answered and is on record, the other is still thinking when the process is ended."""
    quick, slow = path("ok"), path("held")
    told.partner(quick)
    told.partner(slow)
    partners.release.clear()
    partners.holding.clear()
    with platform.withheld(STREAM_READER):
        time.sleep(1)
        event = platform.stream_event(*conversions(1))
        process = platform.start(STREAM_READER)
        process.stdin.write(json.dumps(event))
        process.stdin.close()
        assert partners.holding.wait(timeout=30)
        oracle.settle(1)
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
        partners.release.set()
        eventually(lambda: partners.at(slow), "the answer that nobody heard")
    fault("timeout in the middle of a batch", "SIGKILL while a partner thinks", oracle.reconcile(2, 1))
    assert len(partners.at(quick)) == 1


def test_the_same_stream_record_comes_three_times(told, oracle, platform, conversions, fault):
    told.partner(path("ok"))
    told.partner(path("ok"))
    event = platform.stream_event(*conversions(3))
    oracle.reconcile(6)
    for _ in range(2):
        assert platform.invoke(STREAM_READER, event).returncode == 0
    fault("duplicate stream record", "brought three times", oracle.reconcile(6))


def test_the_same_message_comes_five_times(told, oracle, partners, platform, stack, fault):
    where = path("as-told")
    told.partner(where)
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        time.sleep(1)
        told.convert()
        row = told.row(DeliveryState.RETRYING)
        partners.answers[where] = 200
        body = DeliveryMessage.of(row).to_body()
        for _ in range(5):
            stack.aws.sqs.send_message(QueueUrl=stack.outputs["FailedDeliveriesQueueUrl"], MessageBody=body)
    fault("duplicate message", "six in the queue", oracle.reconcile(1))
    time.sleep(2)
    oracle.reconcile(1)


@pytest.mark.parametrize(
    ("name", "fails"),
    [("DynamoDB throttles for a while", False), ("DynamoDB throttles", True)],
)
def test_dynamodb_throttles(told, oracle, platform, conversions, name, fails, fault):
    """What was sent and could not be recorded is sent once more: there is no way to know."""
    told.partner(path("ok"))
    with platform.withheld(STREAM_READER):
        time.sleep(1)
        event = platform.stream_event(*conversions(1))
        assert platform.invoke(STREAM_READER, event, name).has_failed is fails
        sent = oracle.asked()
    fault(name, "ProvisionedThroughputExceeded", oracle.reconcile(1, int(fails)))
    assert sent == 1


@pytest.mark.parametrize("name", ["SQS fails", "SQS refuses messages"])
def test_sqs_fails(told, oracle, partners, platform, conversions, name, fault):
    """The rows say that messages are missing, so the stream's second try queues them without another send."""
    where = path("as-told")
    told.partner(where)
    partners.answers[where] = 503
    with platform.withheld(STREAM_READER, QUEUE_READER):
        time.sleep(1)
        ids = conversions(3)
        assert platform.invoke(STREAM_READER, platform.stream_event(*ids), name).has_failed
        assert len(told.all_rows()) == 3
        partners.answers[where] = 200
    fault(name, "SendMessageBatch", oracle.reconcile(3))


def test_a_partner_moves_between_attempts(told, oracle, partners, platform, admin, fault):
    before, after = path("as-told"), path("ok")
    partner_id = told.partner(before)["partnerId"]
    partners.answers[before] = 503
    with platform.withheld(QUEUE_READER):
        time.sleep(1)
        told.convert()
        told.row(DeliveryState.RETRYING)
        url = f"{partners.url}{after}?click_id={{click_id}}"
        assert admin.patch("partners", partner_id, postbackUrl=url).status == 200
        told.paths[partner_id] = after
    outcome = oracle.reconcile(1)
    assert [one.answered for one in partners.at(before)] == [503]
    fault("partner edited between attempts", "another URL", outcome)


def test_a_partner_is_paused_between_attempts_and_resumed(told, oracle, partners, platform, admin, stack, fault):
    where = path("as-told")
    partner_id = told.partner(where)["partnerId"]
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        time.sleep(1)
        told.convert()
        told.row(DeliveryState.RETRYING)
        admin.patch("partners", partner_id, status="paused")
        partners.answers[where] = 200
    eventually(lambda: told.rows()[0].held_by == "paused", "the hold")
    assert oracle.asked() == 1
    admin.patch("partners", partner_id, status="active")
    stack.aws.lambda_.invoke(FunctionName=stack.function("ReleaseDueDeliveries"), Payload=b"{}")
    fault("partner paused between attempts", "and resumed", oracle.reconcile(1))


def test_a_secret_is_rotated_between_attempts(told, oracle, partners, platform, admin, fault):
    """The retry carries two signatures: whoever still has the old secret can verify it, and so can who has the new."""
    where = path("as-told")
    created = told.partner(where, method="POST")
    partners.answers[where] = 503
    with platform.withheld(QUEUE_READER):
        time.sleep(1)
        told.convert()
        told.row(DeliveryState.RETRYING)
        rotated = admin.patch("partners", created["partnerId"], rotateSigningSecret=True).data
        partners.answers[where] = 200
    outcome = oracle.reconcile(1)
    first, second = partners.at(where)
    assert signed_with(first, created, rotated) == {created["signingSecret"]}
    assert signed_with(second, created, rotated) == {created["signingSecret"], rotated["signingSecret"]}
    fault("secret rotated in mid-retry", "both secrets sign", outcome)


def signed_with(received, *partners) -> set[str]:
    """Those secrets that verify one of the request's signatures."""
    headers = received.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{received.body}".encode()
    signatures = headers["webhook-signature"].split()
    return {
        partner["signingSecret"] for partner in partners if f"v1,{mac(partner['signingSecret'], signed)}" in signatures
    }


def mac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def test_a_message_that_nobody_understands_ends_with_those_that_a_person_must_see(stack, fault):
    queue_url, parked = stack.outputs["FailedDeliveriesQueueUrl"], stack.outputs["ParkedDeliveriesQueueUrl"]
    once = {"attributes": {"ApproximateReceiveCount": "1"}}
    event = {"Records": [{"messageId": "m-1", "body": "nonsense"} | once, {"messageId": "m-2", "body": "{}"} | once]}
    reply = stack.aws.lambda_.invoke(FunctionName=stack.function(QUEUE_READER), Payload=json.dumps(event).encode())
    answer = json.loads(reply["Payload"].read())
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m-1", "m-2"]
    attributes = stack.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
    policy = json.loads(attributes["Attributes"]["RedrivePolicy"])
    arn = stack.aws.sqs.get_queue_attributes(QueueUrl=parked, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    assert (policy["deadLetterTargetArn"], int(policy["maxReceiveCount"])) == (arn, 5)
    fault("poison message", "not ours", "comes back, and is parked after five times")
