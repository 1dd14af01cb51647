"""Networks, by their unguessable key and, for operators, by their id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.recent import Recent
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.intake.network import Network
from ricochet.values.lifecycle import Lifecycle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_NETWORK_ID = "byNetworkId"

MAX_ROTATIONS = 5  # within one time of grace


class NetworksTable(Table[Network]):
    entity = Network

    def __init__(self, client: DynamoDBClient, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(client, name)
        self._recent: Recent[Network] = Recent(clock)

    def cached_then_fresh(self, unique_key: str, moment: str) -> Iterator[Network]:
        """The network as last read, up to a minute ago, and then as it is now; nothing for a key that is not in use."""
        return self._recent.cached_then_fresh(unique_key, lambda key: self._read(key, moment))

    def _read(self, unique_key: str, moment: str) -> Network | None:
        """The network behind a key, or behind one that was replaced and is still in its time of grace."""
        network = self._get({"uniqueKey": unique_key})
        for _ in range(MAX_ROTATIONS):
            if network is None or network.successor is None:
                return network
            if network.grace_until is None or network.grace_until <= moment:
                return None
            network = self._get({"uniqueKey": network.successor})
        return None

    def by_id(self, network_id: str) -> Network | None:
        """As it is now; a network that was just created takes a moment to be found."""
        reply = self.client.query(
            TableName=self.name,
            IndexName=BY_NETWORK_ID,
            KeyConditionExpression="networkId = :id",
            ExpressionAttributeValues=to_wire({":id": network_id}),
        )
        keys = [from_wire(item)["uniqueKey"] for item in reply["Items"]]
        return self._get({"uniqueKey": keys[0]}) if keys else None

    def list_page(self, limit: int, cursor: str | None) -> Page[Network]:
        return self._page("networks", limit, cursor, {"IndexName": BY_NETWORK_ID})

    def active_ids(self) -> list[str]:
        """Of all networks that are active; nothing else of them is read, least of all their secrets."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.name,
            IndexName=BY_NETWORK_ID,
            ProjectionExpression="networkId",
            FilterExpression="#status = :active",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=to_wire({":active": Lifecycle.ACTIVE}),
        )
        return sorted(from_wire(item)["networkId"] for page in pages for item in page["Items"])

    def create(self, network: Network) -> bool:
        """False if the key is taken."""
        return self._put_if(network, "attribute_not_exists(uniqueKey)")

    def replace(self, network: Network, revision: int) -> bool:
        """False if someone else has changed the network since `revision` was read."""
        return self._put_if(
            network,
            "#revision = :revision AND attribute_exists(networkId)",
            {":revision": revision},
            revision="revision",
        )

    def rotate(self, before: Network, after: Network, grace_until: str, ttl: int) -> bool:
        """`after` under its new key, and the old key pointing to it until `grace_until`, together or not at all.

        False if the network was changed meanwhile or the new key is taken.
        """
        old = Network(
            unique_key=before.unique_key,
            successor=after.unique_key,
            grace_until=grace_until,
            ttl=ttl,
            created_at=before.created_at,
            updated_at=after.updated_at,
        )
        put_new: Any = {
            "TableName": self.name,
            "Item": self.wire(after),
            "ConditionExpression": "attribute_not_exists(uniqueKey)",
        }
        put_old: Any = {
            "TableName": self.name,
            "Item": self.wire(old),
            "ConditionExpression": "#revision = :revision AND attribute_exists(networkId)",
            "ExpressionAttributeNames": {"#revision": "revision"},
            "ExpressionAttributeValues": to_wire({":revision": before.revision}),
        }
        try:
            self.client.transact_write_items(TransactItems=[{"Put": put_new}, {"Put": put_old}])
        except self.client.exceptions.TransactionCanceledException as error:
            codes = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if "ConditionalCheckFailed" in codes:
                return False
            raise
        return True
