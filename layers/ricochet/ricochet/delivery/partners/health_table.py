"""Health of partners that are in trouble, and how many postbacks those with a rate have had this second."""

from __future__ import annotations

import math
from typing import Any

from botocore.exceptions import ClientError

from ricochet.delivery.partners.partner_health import PARTNER, Breaker, PartnerHealth, resumed
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import condition_failed, from_wire, to_wire
from ricochet.values import times

PERMITS = "permits"


class HealthTable(Table[PartnerHealth]):
    entity = PartnerHealth

    def of_partners(self) -> dict[str, PartnerHealth]:
        """By partner id; partners in good health have none."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="kind = :kind",
            ExpressionAttributeValues=to_wire({":kind": PARTNER}),
            ConsistentRead=True,
        )
        rows = (PartnerHealth.from_item(from_wire(item)) for page in pages for item in page["Items"])
        return {row.partner_id: row for row in rows}

    def of_partner(self, partner_id: str) -> PartnerHealth | None:
        return self._get({"kind": PARTNER, "subject": partner_id})

    def put(self, health: PartnerHealth, seen: PartnerHealth | None) -> bool:
        """False if the row is another than `seen` by now."""
        if seen is None:
            return self._put_if(health, "attribute_not_exists(subject)")
        return self._try_put(self._replacement(health, seen))

    def forgiveness(self, partner_id: str, moment: str) -> dict[str, Any] | None:
        """The put, for a transaction, after which a partner's failures do not count any more; None if none are known.

        It is believed well then, and goes slowly.
        """
        health = self.of_partner(partner_id)
        return None if health is None else self._replacement(resumed(health, moment), health)

    def _replacement(self, health: PartnerHealth, seen: PartnerHealth) -> dict[str, Any]:
        return self._conditional_put(health, "revision = :seen", {":seen": seen.revision})

    def claim_probe(self, health: PartnerHealth, lease_until: str) -> bool:
        """Whether the one probe of an open breaker is ours; if nobody tells of it until then, there is another."""
        claimed = health.with_changes(open_until=lease_until, revision=health.revision + 1)
        return health.breaker is Breaker.OPEN and self.put(claimed, health)

    def claim_permit(self, partner_id: str, per_second: float, moment: str) -> bool:
        """Whether one more postback stays within the partner's rate, counted over all processes."""
        window_seconds = max(1, math.ceil(1 / per_second))
        window = times.epoch_seconds(moment) // window_seconds * window_seconds
        allowed = max(1, int(per_second * window_seconds))
        values = {":window": window, ":allowed": allowed, ":one": 1}
        return self._permit(
            partner_id, "SET used = used + :one", "#window = :window AND used < :allowed", values
        ) or self._permit(
            partner_id,
            "SET #window = :window, used = :one",
            "attribute_not_exists(#window) OR #window < :window",
            {":window": window, ":one": 1},
        )

    def _permit(self, partner_id: str, change: str, condition: str, values: dict[str, int]) -> bool:
        try:
            self.client.update_item(
                TableName=self.name,
                Key=to_wire({"kind": PERMITS, "subject": partner_id}),
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#window": "window"},
                ExpressionAttributeValues=to_wire(values),
            )
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        return True
