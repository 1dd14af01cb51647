"""Queues: deliveries to be tried again or given up, partners' words, and postbacks that our own side failed on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any, Self

from ricochet.delivery.delivery import Delivery
from ricochet.delivery.transitions import queue_delay
from ricochet.errors import QueueRefusedError
from ricochet.values import ids

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10

HIDDEN_SECONDS = 60
"""For so long nobody else gets a message that was taken from the parking queue."""


@dataclass(frozen=True)
class DeliveryMessage:
    """Ids only; what to send stands in the row. `attempt` is the number of attempts made when it was written."""

    conversion_id: str
    delivery_key: str
    attempt: int
    is_repeated: bool = False  # it came before, and whoever had it may have died

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(delivery.conversion_id, delivery.delivery_key, delivery.attempt_count)

    @property
    def partner_id(self) -> str:
        return self.delivery_key.partition("#")[2]

    @property
    def delivery_id(self) -> str:
        return ids.delivery_id(self.conversion_id, int(self.delivery_key.partition("#")[0]), self.partner_id)

    def log_fields(self) -> dict[str, str]:
        return {
            "delivery_id": self.delivery_id,
            "conversion_id": self.conversion_id,
            "partner_id": self.partner_id,
        }

    @classmethod
    def parse(cls, body: str, received: int = 1) -> Self:
        """`received`: how often the queue has handed it out."""
        fields = json.loads(body)
        return cls(fields["conversionId"], fields["deliveryKey"], fields["attempt"], received > 1)

    def to_body(self) -> str:
        return json.dumps(
            {"conversionId": self.conversion_id, "deliveryKey": self.delivery_key, "attempt": self.attempt}
        )


class DeliveryQueue:
    """A queue of deliveries; grouped by partner, so that a busy one does not hold up the others."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, deliveries: Sequence[Delivery], moment: str) -> None:
        """One message each, delayed until its next attempt, ten to a call; all are tried, then QueueRefusedError.

        Its details name the deliveries that have no message now.
        """
        refused: list[str] = []
        for batch in batched(deliveries, BATCH, strict=False):
            left = self._send_batch(batch, moment)
            refused += [row.delivery_id for row in (self._send_batch(left, moment) if left else ())]
        if refused:
            raise QueueRefusedError("the queue refused messages", refused)

    def _send_batch(self, batch: Sequence[Delivery], moment: str) -> list[Delivery]:
        """Those of `batch` that the queue did not take."""
        entries: list[Any] = [
            {
                "Id": str(number),
                "MessageBody": DeliveryMessage.of(delivery).to_body(),
                "DelaySeconds": queue_delay(delivery, moment),
                "MessageGroupId": delivery.partner_id,
            }
            for number, delivery in enumerate(batch)
        ]
        reply = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        return [batch[int(entry["Id"])] for entry in reply.get("Failed", [])]


@dataclass(frozen=True)
class ParkedMessage:
    handle: str
    body: str


class ParkingQueue:
    """Messages of deliveries that were given up, as somebody works them off."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def size(self) -> int:
        """About how many there are."""
        name: Any = "ApproximateNumberOfMessages"
        reply = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return int(reply["Attributes"][name])

    def take(self, limit: int) -> Iterator[ParkedMessage]:
        """At most `limit` messages; those that are not deleted are there again a minute later."""
        while limit > 0:
            reply = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(BATCH, limit),
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=1,  # asks all of the queue's servers, and not some
            )
            messages = reply.get("Messages", [])
            if not messages:
                return
            limit -= len(messages)
            yield from (ParkedMessage(message["ReceiptHandle"], message["Body"]) for message in messages)

    def delete(self, message: ParkedMessage) -> None:
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle)
