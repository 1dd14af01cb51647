"""Health of failing partners, and how many postbacks those with a rate have had this second."""

from __future__ import annotations

import math

from ricochet.delivery.partners.partner_health import PARTNER, Breaker, PartnerHealth, resumed
from ricochet.dynamodb.expressions import Parameters, put
from ricochet.dynamodb.table import Table
from ricochet.values import times
from ricochet.values.times import Moment

PERMITS = "permits"


class HealthTable(Table[PartnerHealth]):
    entity = PartnerHealth

    def of_partners(self) -> dict[str, PartnerHealth]:
        """Return health by partner id; healthy partners have none."""
        rows = self.query("kind = :kind", kind=PARTNER, consistent=True)
        return {row.partner_id: row for row in rows}

    def of_partner(self, partner_id: str) -> PartnerHealth | None:
        return self._get({"kind": PARTNER, "subject": partner_id})

    def put(self, health: PartnerHealth, seen: PartnerHealth | None) -> bool:
        """Return False if the row has changed since it was read as `seen`."""
        if seen is None:
            return self._put_if(health, "attribute_not_exists(subject)")
        return self._try_put(self._replacement(health, seen))

    def forgiveness(self, partner_id: str, moment: Moment) -> Parameters | None:
        """Return the put, for a transaction, that forgives a partner's failures; None if none are known.

        The partner counts as recovering then, and is sent to slowly.
        """
        health = self.of_partner(partner_id)
        return None if health is None else self._replacement(resumed(health, moment), health)

    def _replacement(self, health: PartnerHealth, seen: PartnerHealth) -> Parameters:
        return put(self.name, health, "revision = :seen", seen=seen.revision)

    def claim_probe(self, health: PartnerHealth, lease_until: Moment) -> bool:
        """Whether the one probe of an open breaker is ours; if its result is not recorded by then, there is another."""
        claimed = health.with_changes(open_until=lease_until, revision=health.revision + 1)
        return health.breaker is Breaker.OPEN and self.put(claimed, health)

    def claim_permit(self, partner_id: str, per_second: float, moment: Moment) -> bool:
        """Whether one more postback stays within the partner's rate, counted over all processes."""
        window_seconds = max(1, math.ceil(1 / per_second))
        window = times.epoch_seconds(moment) // window_seconds * window_seconds
        allowed = max(1, int(per_second * window_seconds))
        key = {"kind": PERMITS, "subject": partner_id}
        return self._update_if(
            key,
            "SET used = used + :one",
            "#window = :window AND used < :allowed",
            window=window,
            allowed=allowed,
            one=1,
        ) or self._update_if(
            key,
            "SET #window = :window, used = :one",
            "attribute_not_exists(#window) OR #window < :window",
            window=window,
            one=1,
        )
