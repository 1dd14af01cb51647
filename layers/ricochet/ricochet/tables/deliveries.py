"""Deliveries: who was told what, and what is still to be tried."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from ricochet.models.delivery import Delivery, DeliveryState, delivery_key
from ricochet.tables.items import condition_failed, from_wire, to_wire
from ricochet.tables.table import Table

BY_DUE = "byDue"
BY_PARTNER = "byPartner"
BY_STATE = "byState"


class Deliveries(Table[Delivery]):
    entity = Delivery

    def get(self, conversion_id: str, key: str) -> Delivery | None:
        return self._get({"conversionId": conversion_id, "deliveryKey": key})

    def of_conversion(self, conversion_id: str) -> list[Delivery]:
        """All versions' deliveries, the oldest version first."""
        return list(self._query("conversionId = :id", {":id": conversion_id}))

    def newer_is_delivered(self, delivery: Delivery) -> bool:
        """Whether the partner has been told of a later version already."""
        rows = self._query(
            "conversionId = :id AND deliveryKey > :key",
            {":id": delivery.conversion_id, ":key": delivery_key(delivery.version, "\U0010ffff")},
        )
        return any(row.partner_id == delivery.partner_id and row.state is DeliveryState.DELIVERED for row in rows)

    def put_first(self, delivery: Delivery) -> bool:
        """Records what came of the first attempt; False if it is recorded already."""
        return self._put_if(delivery, "attribute_not_exists(deliveryKey)")

    def claim(self, delivery: Delivery, attempt: int, lease_until: str) -> Delivery | None:
        """The row with attempt number `attempt` begun until `lease_until`; None if somebody else was quicker."""
        claimed = delivery.with_changes(attempt_count=attempt, lease_until=lease_until)
        values = {
            ":seen": delivery.attempt_count,
            ":attempt": attempt,
            ":lease": lease_until,
            ":retrying": DeliveryState.RETRYING,
        }
        if delivery.lease_until is None:
            unclaimed = "attribute_not_exists(leaseUntil)"
        else:
            unclaimed = "leaseUntil = :old"
            values[":old"] = delivery.lease_until
        try:
            self.client.update_item(
                TableName=self.name,
                Key=to_wire({"conversionId": delivery.conversion_id, "deliveryKey": delivery.delivery_key}),
                UpdateExpression="SET attemptCount = :attempt, leaseUntil = :lease",
                ConditionExpression=f"attemptCount = :seen AND #state = :retrying AND {unclaimed}",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_wire(values),
            )
        except ClientError as error:
            if condition_failed(error):
                return None
            raise
        return claimed

    def record(self, delivery: Delivery) -> bool:
        """Writes what came of a claimed attempt; False if the row has gone on without it."""
        return self._put_if(
            delivery,
            "attemptCount = :attempt AND #state = :retrying",
            {":attempt": delivery.attempt_count, ":retrying": DeliveryState.RETRYING},
            state="state",
        )

    def due(self, partner_id: str, moment: str, limit: int) -> list[Delivery]:
        """At most `limit` of a partner's rows whose time has come, the longest waiting first."""
        reply = self.client.query(
            TableName=self.name,
            IndexName=BY_DUE,
            KeyConditionExpression="partnerId = :partner AND dueAt <= :now",
            ExpressionAttributeValues=to_wire({":partner": partner_id, ":now": moment}),
            Limit=limit,
        )
        return [Delivery.from_item(from_wire(item)) for item in reply["Items"]]

    def in_state(self, shard: str) -> Iterator[Delivery]:
        """The rows in one partition of `byState`, the oldest first."""
        return self._in_shard(BY_STATE, "stateShard", shard)

    def of_partner(self, shard: str) -> Iterator[Delivery]:
        """The rows in one partition of `byPartner`, the newest first."""
        return self._in_shard(BY_PARTNER, "partnerShard", shard, newest_first=True)

    def revive(self, delivery: Delivery, moment: str) -> bool:
        """Makes a row due that has waited for a message in vain; False if it has gone on meanwhile."""
        return self._put_if(
            delivery.with_changes(due_at=moment, next_attempt_at=moment, lease_until=None, updated_at=moment),
            "#state = :retrying AND updatedAt = :seen AND attemptCount = :attempt",
            {
                ":retrying": DeliveryState.RETRYING,
                ":seen": delivery.updated_at,
                ":attempt": delivery.attempt_count,
            },
            state="state",
        )

    def clear_due(self, delivery: Delivery) -> None:
        """Takes a row that was handed to the queue out of the due index, unless it has been moved on already."""
        try:
            self.client.update_item(
                TableName=self.name,
                Key=to_wire({"conversionId": delivery.conversion_id, "deliveryKey": delivery.delivery_key}),
                UpdateExpression="REMOVE dueAt",
                ConditionExpression="dueAt = :due",
                ExpressionAttributeValues=to_wire({":due": delivery.due_at}),
            )
        except ClientError as error:
            if not condition_failed(error):
                raise

    def _in_shard(self, index: str, key: str, shard: str, *, newest_first: bool = False) -> Iterator[Delivery]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            IndexName=index,
            KeyConditionExpression=f"{key} = :shard",
            ExpressionAttributeValues=to_wire({":shard": shard}),
            ScanIndexForward=not newest_first,
        )
        return (Delivery.from_item(from_wire(item)) for page in pages for item in page["Items"])

    def _query(self, condition: str, values: dict[str, str]) -> Iterator[Delivery]:
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_wire(values),
            ConsistentRead=True,
        )
        return (Delivery.from_item(from_wire(item)) for page in pages for item in page["Items"])
