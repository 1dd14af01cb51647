"""What is sent to queues, in which batches, and what happens when a queue refuses."""

import json

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ricochet.delivery.delivery import new_delivery
from ricochet.delivery.queues import HIDDEN_SECONDS, DeliveryMessage, DeliveryQueue, ParkingQueue
from ricochet.errors import QueueRefusedError
from ricochet.intake.postback_queue import PostbackQueue
from ricochet.intake.raw_postback import RawPostback
from ricochet.values import times
from tests.unit.builders import IN_AN_HOUR, a_delivery, a_notice, a_postback


class Sqs:
    def __init__(self, refusals=0, error=None):
        self.batches, self.messages, self.refusals, self.error = [], [], refusals, error

    def send_message_batch(self, **call):
        """Refuses the first message of each of the first `refusals` batches."""
        self.batches.append(call["Entries"])
        if len(self.batches) > self.refusals:
            return {}
        return {"Failed": [{"Id": call["Entries"][0]["Id"], "Code": "InternalError", "Message": "try again"}]}

    def send_message(self, **call):
        if self.error:
            raise self.error
        self.messages.append(call)


def test_message_contains_only_ids_and_the_attempt_count():
    message = DeliveryMessage.of(a_delivery(attempt_count=3))
    assert json.loads(message.to_body()) == {"conversionId": "CONV-1", "deliveryKey": "000001#part_1", "attempt": 3}
    assert DeliveryMessage.parse(message.to_body()) == message


def test_message_is_logged_with_the_ids_of_its_delivery():
    row = new_delivery("CONV-1", 12, "part_1", a_notice(), IN_AN_HOUR)
    known_as = {"delivery_id": row.delivery_id, "conversion_id": "CONV-1", "partner_id": "part_1"}
    assert DeliveryMessage.of(row).log_fields() == known_as


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"conversionId": "C"}'])
def test_unknown_message_is_not_parsed(body):
    with pytest.raises((ValueError, KeyError, TypeError)):
        DeliveryMessage.parse(body)


@pytest.mark.parametrize(("number", "sizes"), [(0, []), (1, [1]), (10, [10]), (25, [10, 10, 5])])
def test_messages_are_sent_in_batches_of_ten(number, sizes):
    sqs = Sqs()
    DeliveryQueue(sqs, "url").send([a_delivery()] * number, IN_AN_HOUR)
    assert [len(batch) for batch in sqs.batches] == sizes
    assert all(len({entry["Id"] for entry in batch}) == len(batch) for batch in sqs.batches)


def test_message_is_delayed_like_its_delivery_and_grouped_by_partner():
    sqs, row = Sqs(), a_delivery(next_attempt_at=times.plus(IN_AN_HOUR, seconds=60))
    DeliveryQueue(sqs, "url").send([row], IN_AN_HOUR)
    assert [batch[0]["DelaySeconds"] for batch in sqs.batches] == [60]
    assert sqs.batches[0][0]["MessageGroupId"] == "part_1"


def test_refused_message_is_sent_a_second_time():
    sqs = Sqs(refusals=1)
    DeliveryQueue(sqs, "url").send([a_delivery()] * 3, IN_AN_HOUR)
    assert [len(batch) for batch in sqs.batches] == [3, 1]


def test_message_refused_twice_raises_after_the_others_are_sent():
    sqs, row = Sqs(refusals=2), a_delivery()
    with pytest.raises(QueueRefusedError) as refused:
        DeliveryQueue(sqs, "url").send([row] * 12, IN_AN_HOUR)
    assert refused.value.details == [row.delivery_id]
    assert [len(batch) for batch in sqs.batches] == [10, 1, 2]


class Parking:
    """A queue with `number` messages that hides those it delivers."""

    def __init__(self, number):
        self.there, self.calls = [f"message {one}" for one in range(number)], []

    def receive_message(self, **call):
        assert call["VisibilityTimeout"] == HIDDEN_SECONDS
        wanted = call["MaxNumberOfMessages"]
        found, self.there = self.there[:wanted], self.there[wanted:]
        self.calls.append(wanted)
        return {"Messages": [{"ReceiptHandle": f"handle of {one}", "Body": one} for one in found]} if found else {}

    def delete_message(self, **call):
        self.calls.append(call["ReceiptHandle"])

    def get_queue_attributes(self, **call):
        return {"Attributes": dict.fromkeys(call["AttributeNames"], str(len(self.there)))}


@pytest.mark.parametrize(
    ("number", "limit", "calls"),
    [(0, 100, [10]), (4, 100, [10, 10]), (25, 12, [10, 2]), (25, 100, [10] * 4), (3, 1, [1])],
)
def test_parked_messages_are_received_up_to_the_limit(number, limit, calls):
    sqs = Parking(number)
    taken = list(ParkingQueue(sqs, "url").take(limit))
    assert [message.body for message in taken] == [f"message {one}" for one in range(min(number, limit))]
    assert sqs.calls == calls


def test_parked_message_is_deleted_and_no_longer_counted():
    sqs = Parking(2)
    parking = ParkingQueue(sqs, "url")
    assert parking.size() == 2
    (message,) = parking.take(1)
    parking.delete(message)
    assert (parking.size(), sqs.calls) == (1, [1, "handle of message 0"])


def test_postback_is_enqueued_whole():
    sqs, raw = Sqs(), a_postback(query="a=1", body=b"\xff")
    PostbackQueue(sqs, "url").put(raw)
    assert sqs.messages[0]["QueueUrl"] == "url"
    assert RawPostback.from_message(sqs.messages[0]["MessageBody"]) == raw


@pytest.mark.parametrize(
    "error", [ClientError({"Error": {"Code": "Throttled"}}, "SendMessage"), EndpointConnectionError(endpoint_url="url")]
)
def test_unreachable_queue_is_reported_as_a_server_failure(error):
    with pytest.raises(QueueRefusedError, match="please send it again"):
        PostbackQueue(Sqs(error=error), "url").put(a_postback())
