"""A product whose conversions are reported one by one, and a partner that hears of them and of no others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.client import Client
from tests.integration.conftest import NewProduct, Person, eventually
from tests.integration.partners import ScriptedPartners

_numbers = itertools.count()


@dataclass(frozen=True)
class Reporter:
    """Reports conversions of one product; each has a click of its own."""

    public: Client
    product: NewProduct

    def click(self, person: Person) -> str:
        click_id: str = person.app.click(self.product.product_id).data["clickId"]
        return click_id

    def report(self, click_id: str, status: str = "Purchase", **fields: Any) -> Any:
        """The answer's data; one click has one transaction."""
        return self.public.postback(
            click_id, token=self.product.token, status=status, transactionId=f"t-{click_id}", **fields
        ).data


@dataclass(frozen=True)
class Listener:
    """A partner that is told of one product's conversions."""

    partner_id: str
    path: str
    server: ScriptedPartners

    def words(self, click_id: str) -> list[str]:
        return [one.query["status"] for one in self.server.at(self.path) if one.query["click_id"] == click_id]

    def hears(self, click_id: str, *words: str) -> None:
        eventually(lambda: self.words(click_id) == list(words), f"the partner to hear {words} and nothing else")


def listen(admin: Client, server: ScriptedPartners, product: NewProduct) -> Listener:
    path = f"/ok/listener-{next(_numbers)}"
    created = admin.create(
        "partners",
        name=path,
        postbackUrl=f"{server.url}{path}?click_id={{click_id}}&status={{status}}",
        filters={"productIds": [product.product_id]},
    ).data
    return Listener(created["partnerId"], path, server)


def bring(referrer: Person, referred: Person) -> None:
    """The one brings the other, and earns with them from now on."""
    answer = referred.app.call("PUT", "/api/v1/earn/referrer", json={"referrerId": referrer.user_id})
    assert answer.status == 200


def pages(read: Callable[..., Any], **query: Any) -> list[list[dict[str, Any]]]:
    """All pages of a listing, as `read(**query)` answers them."""
    found, cursor = [], {}
    while True:
        page = read(**query, **cursor).data
        found.append(page["items"])
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}
