"""The retry queue and the parking queue of deliveries."""

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
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10

HIDDEN_SECONDS = 60
"""How long a message received from the parking queue is hidden from other readers."""


@dataclass(frozen=True)
class DeliveryMessage:
    """A delivery's ids; the row has what to send. `attempt` is the number of attempts made when it was sent."""

    conversion_id: str
    delivery_key: str
    attempt: int
    is_repeated: bool = False  # received before, by a process that may have died

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
        """Read a message; `received` is how often the queue has delivered it."""
        fields = json.loads(body)
        return cls(fields["conversionId"], fields["deliveryKey"], fields["attempt"], received > 1)

    def to_body(self) -> str:
        return json.dumps(
            {"conversionId": self.conversion_id, "deliveryKey": self.delivery_key, "attempt": self.attempt}
        )


@dataclass(frozen=True)
class DeliveryQueue:
    """A queue of deliveries, grouped by partner so that a busy one does not hold up the others."""

    client: SQSClient
    url: str

    def send(self, deliveries: Sequence[Delivery], moment: Moment) -> None:
        """Send one message each, delayed until its next attempt, ten to a call.

        Raise QueueRefusedError after trying all; its details name the deliveries that have no message.
        """
        refused: list[str] = []
        for batch in batched(deliveries, BATCH, strict=False):
            failed = self._send_batch(batch, moment)
            refused += [row.delivery_id for row in (self._send_batch(failed, moment) if failed else ())]
        if refused:
            raise QueueRefusedError("the queue refused messages", refused)

    def _send_batch(self, batch: Sequence[Delivery], moment: Moment) -> list[Delivery]:
        """Return the deliveries that the queue refused."""
        entries: list[Any] = [
            {
                "Id": str(number),
                "MessageBody": DeliveryMessage.of(delivery).to_body(),
                "DelaySeconds": queue_delay(delivery, moment),
                "MessageGroupId": delivery.partner_id,
            }
            for number, delivery in enumerate(batch)
        ]
        reply = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
        return [batch[int(entry["Id"])] for entry in reply.get("Failed", [])]


@dataclass(frozen=True)
class ParkedMessage:
    handle: str
    body: str


@dataclass(frozen=True)
class ParkingQueue:
    """The messages of deliveries that were given up, for an operator to redrive."""

    client: SQSClient
    url: str

    def size(self) -> int:
        """Return about how many messages there are."""
        name: Any = "ApproximateNumberOfMessages"
        reply = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(reply["Attributes"][name])

    def take(self, limit: int) -> Iterator[ParkedMessage]:
        """Receive at most `limit` messages; those that are not deleted become visible again after a minute."""
        while limit > 0:
            reply = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(BATCH, limit),
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=1,  # long polling asks all of the queue's servers
            )
            messages = reply.get("Messages", [])
            if not messages:
                return
            limit -= len(messages)
            yield from (ParkedMessage(message["ReceiptHandle"], message["Body"]) for message in messages)

    def delete(self, message: ParkedMessage) -> None:
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message.handle)
