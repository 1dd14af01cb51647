"""Queues: deliveries to be tried again or given up, and postbacks that our own side failed on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from ricochet.errors import QueueRefusedError
from ricochet.models.delivery import Delivery
from ricochet.models.postback import RawPostback
from ricochet.rules.delivery_progress import queue_delay

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH = 10


@dataclass(frozen=True)
class DeliveryMessage:
    """Ids only; what to send stands in the row. `attempt` is the number of attempts made when it was written."""

    conversion_id: str
    delivery_key: str
    attempt: int

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(delivery.conversion_id, delivery.delivery_key, delivery.attempt_count)

    @classmethod
    def parse(cls, body: str) -> Self:
        fields = json.loads(body)
        return cls(fields["conversionId"], fields["deliveryKey"], fields["attempt"])

    def to_body(self) -> str:
        return json.dumps(
            {"conversionId": self.conversion_id, "deliveryKey": self.delivery_key, "attempt": self.attempt}
        )


class DeliveryQueue:
    """A queue of deliveries; grouped by partner, so that a busy one does not hold up the others."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, deliveries: Sequence[Delivery], moment: str, *, at_once: bool = False) -> None:
        """One message each, delayed until the next attempt unless `at_once`; QueueRefusedError if any was refused."""
        for batch in batched(deliveries, BATCH, strict=False):
            entries: list[Any] = [
                {
                    "Id": str(number),
                    "MessageBody": DeliveryMessage.of(delivery).to_body(),
                    "DelaySeconds": 0 if at_once else queue_delay(delivery, moment),
                    "MessageGroupId": delivery.partner_id,
                }
                for number, delivery in enumerate(batch)
            ]
            reply = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            _check(reply.get("Failed", []))


class PostbackQueue:
    """Postbacks to be taken in again, exactly as they arrived."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, raw: RawPostback) -> None:
        """QueueRefusedError if it could not be put there."""
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=raw.to_message())
        except (BotoCoreError, ClientError) as error:
            raise QueueRefusedError("the postback could not be taken in; please send it again") from error


def _check(failed: Iterable[Any]) -> None:
    refused = [f"{entry.get('Code')}: {entry.get('Message')}" for entry in failed]
    if refused:
        raise QueueRefusedError("the queue refused messages", refused)
