"""A product whose conversions go to paths of the partner server, and a way to report them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from local.client import Client
from ricochet.delivery.delivery import Delivery, DeliveryState
from tests.integration.conftest import NewProduct, Person, Rows, eventually
from tests.integration.partners import ScriptedPartners

numbers = itertools.count()


def path(name: str) -> str:
    """A path of its own for each test."""
    return f"/{name}/{next(numbers)}"


class DistributionResult:
    def __init__(
        self,
        person: Person,
        admin: Client,
        public: Client,
        new_product: Callable[..., NewProduct],
        partners: ScriptedPartners,
        rows: Rows,
    ) -> None:
        self._person, self._admin, self._public = person, admin, public
        self._partners, self._rows = partners, rows
        self.product = new_product()
        self.partner_ids: list[str] = []
        self.paths: dict[str, str] = {}
        self.click_id = ""
        self.tags = {"offerId": "o-1", "sub1": "a b&c"}

    def partner(self, where: str, query: str = "click_id={click_id}&status={status}", **fields: Any) -> dict[str, Any]:
        created = self._admin.create(
            "partners",
            name=where,
            postbackUrl=f"{self._partners.url}{where}?{query}",
            filters={"productIds": [self.product.product_id]},
            **fields,
        ).data
        self.partner_ids.append(created["partnerId"])
        self.paths[created["partnerId"]] = where
        return created

    def convert(self, status: str = "Purchase", **fields: Any) -> dict[str, Any]:
        """Reports the one click."""
        self.click_id = self.click_id or self._click()
        return self._report(self.click_id, status, **fields)

    def convert_anew(self, number: int) -> list[str]:
        """So many other clicks, each with a purchase."""
        clicks = [self._click() for _ in range(number)]
        for click_id in clicks:
            self._report(click_id, "Purchase")
        return clicks

    def _click(self) -> str:
        click_id: str = self._person.app.click(self.product.product_id, **self.tags).data["clickId"]
        return click_id

    def _report(self, click_id: str, status: str, **fields: Any) -> dict[str, Any]:
        answer = self._public.postback(
            click_id, token=self.product.token, status=status, transactionId=f"t-{click_id}", **fields
        )
        assert answer.status == 200
        return answer.data

    def rows(self) -> list[Delivery]:
        return [row for row in self._rows.deliveries(self.click_id) if row.partner_id in self.partner_ids]

    def all_rows(self) -> list[Delivery]:
        """Of all clicks."""
        found = (self._rows.find("Deliveries", partnerId=partner_id) for partner_id in self.partner_ids)
        return [Delivery.from_item(row) for rows in found for row in rows]

    def row(self, state: DeliveryState) -> Delivery:
        """The one delivery, once it is in that state."""
        (row,) = eventually(lambda: [row for row in self.rows() if row.state is state], f"a delivery that is {state}")
        return row

    def close(self) -> None:
        for partner_id in self.partner_ids:
            self._admin.patch("partners", partner_id, status="archived")
