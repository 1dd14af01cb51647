"""Partners, by id and by status."""

from __future__ import annotations

from ricochet.delivery.partners.partner import Partner
from ricochet.dynamodb.catalog_table import CatalogTable, with_status
from ricochet.dynamodb.wire import from_wire
from ricochet.values.lifecycle import Lifecycle


class PartnersTable(CatalogTable[Partner]):
    entity = Partner
    key = "partnerId"

    def active(self) -> list[Partner]:
        pages = self.client.get_paginator("query").paginate(TableName=self.name, **with_status(Lifecycle.ACTIVE))
        return [Partner.from_item(from_wire(item)) for page in pages for item in page["Items"]]

    def all(self) -> list[Partner]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.name)
        return [Partner.from_item(from_wire(item)) for page in pages for item in page["Items"]]
