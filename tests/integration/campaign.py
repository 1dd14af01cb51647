"""A product, the partners that subscribe to its conversions, and a way to report them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from local.client import Client
from ricochet.delivery.delivery import Delivery, DeliveryState
from tests.integration.entities import NewProduct, Person
from tests.integration.partners import ScriptedPartners
from tests.integration.rows import Rows
from tests.waiting import eventually

_numbers = itertools.count()


def path(kind: str) -> str:
    """Return a path of the partner server that no other test uses; `kind` says how it answers."""
    return f"/{kind}/{next(_numbers)}"


class Campaign:
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

    def add_partner(
        self, where: str, query: str = "click_id={click_id}&status={status}", **fields: Any
    ) -> dict[str, Any]:
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

    def report(self, status: str = "Purchase", **fields: Any) -> dict[str, Any]:
        """Report the campaign's one click; return the data of the answer."""
        self.click_id = self.click_id or self._click()
        return self._report(self.click_id, status, **fields)

    def report_purchases(self, number: int) -> list[str]:
        """Report a purchase for each of so many new clicks; return their ids."""
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

    def deliveries(self) -> list[Delivery]:
        """Return those of the one click."""
        return [row for row in self._rows.deliveries(self.click_id) if row.partner_id in self.partner_ids]

    def all_deliveries(self) -> list[Delivery]:
        """Return the deliveries of all clicks to the campaign's partners."""
        found = (self._rows.find("Deliveries", partnerId=partner_id) for partner_id in self.partner_ids)
        return [Delivery.from_item(row) for rows in found for row in rows]

    def delivery(self, state: DeliveryState) -> Delivery:
        """Return the one delivery, once it is in that state."""
        (row,) = eventually(
            lambda: [row for row in self.deliveries() if row.state is state], f"a delivery that is {state}"
        )
        return row

    def close(self) -> None:
        """Archive the partners, so that nothing is sent to them during other tests."""
        for partner_id in self.partner_ids:
            self._admin.patch("partners", partner_id, status="archived")
