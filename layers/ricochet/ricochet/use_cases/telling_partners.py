"""What first attempts and later ones have in common: whom to tell, what is recorded, where to queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from ricochet.models import times
from ricochet.sender.attempt import Attempts
from ricochet.sender.http import Limits, Sender
from ricochet.sender.queues import DeliveryQueue
from ricochet.tables.catalog import Partners
from ricochet.tables.deliveries import Deliveries

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

    from ricochet.settings import DeliverySettings


class TellingPartners:
    def __init__(
        self,
        partners: Partners,
        deliveries: Deliveries,
        attempts: Attempts,
        retries: DeliveryQueue,
        parking: DeliveryQueue,
        clock: Callable[[], str] = times.now,
    ) -> None:
        self._partners = partners
        self._deliveries = deliveries
        self._attempts = attempts
        self._retries = retries
        self._parking = parking
        self._clock = clock

    @classmethod
    def over(cls, dynamodb: DynamoDBClient, sqs: SQSClient, settings: DeliverySettings, limits: Limits) -> Self:
        sender = Sender(settings.allowed_targets, limits)
        return cls(
            Partners(dynamodb, settings.partners_table),
            Deliveries(dynamodb, settings.deliveries_table),
            Attempts(sender, settings.retry_schedule, times.now),
            DeliveryQueue(sqs, settings.retry_queue_url),
            DeliveryQueue(sqs, settings.parking_queue_url),
        )
