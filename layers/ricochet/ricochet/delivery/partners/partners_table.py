"""Partners, by id and by status."""

from __future__ import annotations

from ricochet.delivery.partners.partner import Partner
from ricochet.dynamodb.catalog_table import CatalogTable
from ricochet.values.lifecycle import Lifecycle


class PartnersTable(CatalogTable[Partner]):
    entity = Partner
    key = "partnerId"

    def active(self) -> list[Partner]:
        return list(self.with_status(Lifecycle.ACTIVE))

    def all(self) -> list[Partner]:
        return list(self.scan())
