"""Networks, by their unguessable key and, for operators, by their id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ricochet.dynamodb.expressions import put
from ricochet.dynamodb.paging import Page
from ricochet.dynamodb.recent import Recent
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.transaction import Write, transact
from ricochet.errors import ChangedMeanwhileError
from ricochet.intake.network import Network
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BY_NETWORK_ID = "byNetworkId"

MAX_ROTATIONS = 5  # within one grace period

_UNCHANGED = "#revision = :revision AND attribute_exists(networkId)"


class NetworksTable(Table[Network]):
    entity = Network

    def __init__(self, client: DynamoDBClient, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(client, name)
        self._recent: Recent[Network] = Recent(clock)

    def cached_then_fresh(self, unique_key: str, moment: Moment) -> Iterator[Network]:
        """Yield the network as last read, up to a minute ago, and then as it is now; nothing for a key not in use."""
        return self._recent.cached_then_fresh(unique_key, lambda key: self._read(key, moment))

    def _read(self, unique_key: str, moment: Moment) -> Network | None:
        """Return the network of a key, or of a replaced key that is still in its grace period."""
        network = self._get({"uniqueKey": unique_key})
        for _ in range(MAX_ROTATIONS):
            if network is None or network.successor is None:
                return network
            if network.grace_until is None or network.grace_until <= moment:
                return None
            network = self._get({"uniqueKey": network.successor})
        return None

    def by_id(self, network_id: str) -> Network | None:
        """Return the network as it is now; one that was just created takes a moment to be found."""
        found = self.query("networkId = :id", index=BY_NETWORK_ID, id=network_id)
        item = next(found.items(), None)
        return self._get({"uniqueKey": item["uniqueKey"]}) if item else None

    def list_page(self, limit: int, cursor: str | None) -> Page[Network]:
        return self.scan(index=BY_NETWORK_ID).page("networks", limit, cursor)

    def active_ids(self) -> list[str]:
        """Return the ids of all active networks; nothing else is read, least of all their secrets."""
        active = self.scan(
            index=BY_NETWORK_ID, where="#status = :active", attributes="networkId", active=Lifecycle.ACTIVE
        )
        return sorted(item["networkId"] for item in active.items())

    def create(self, network: Network) -> bool:
        """Return False if the key is taken."""
        return self._put_if(network, "attribute_not_exists(uniqueKey)")

    def replace(self, network: Network, revision: int) -> bool:
        """Return False if someone else has changed the network since `revision` was read."""
        return self._put_if(network, _UNCHANGED, revision=revision)

    def rotate(self, before: Network, after: Network, grace_until: Moment, ttl: int) -> bool:
        """Write `after` under its new key, and let the old key point to it until `grace_until`.

        Return False, and write nothing, if the network has been changed since it was read or the new key is taken.
        """
        old = Network(
            unique_key=before.unique_key,
            successor=after.unique_key,
            grace_until=grace_until,
            ttl=ttl,
            created_at=before.created_at,
            updated_at=after.updated_at,
        )
        changed = ChangedMeanwhileError("the network was changed, or its new key is taken")
        writes = [
            Write({"Put": put(self.name, after, "attribute_not_exists(uniqueKey)")}, refused=changed),
            Write({"Put": put(self.name, old, _UNCHANGED, revision=before.revision)}, refused=changed),
        ]
        try:
            transact(self.client, writes)
        except ChangedMeanwhileError:
            return False
        return True
