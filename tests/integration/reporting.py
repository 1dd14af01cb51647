"""Reports of conversions one by one, and a partner that receives those of one product only."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.client import Client
from tests.integration.entities import NewProduct, Person
from tests.integration.partners import ScriptedPartners
from tests.waiting import eventually

_numbers = itertools.count()


@dataclass(frozen=True)
class Reporter:
    """Reports conversions of one product; each has its own click."""

    public: Client
    product: NewProduct

    def click(self, person: Person) -> str:
        click_id: str = person.app.click(self.product.product_id).data["clickId"]
        return click_id

    def report(self, click_id: str, status: str = "Purchase", **fields: Any) -> Any:
        """Return the answer's data; one click has one transaction."""
        return self.public.postback(
            click_id, token=self.product.token, status=status, transactionId=f"t-{click_id}", **fields
        ).data


@dataclass(frozen=True)
class Subscriber:
    """A partner that receives the conversions of one product."""

    partner_id: str
    path: str
    server: ScriptedPartners

    def statuses(self, click_id: str) -> list[str]:
        return [one.query["status"] for one in self.server.at(self.path) if one.query["click_id"] == click_id]

    def receives(self, click_id: str, *statuses: str) -> None:
        eventually(
            lambda: self.statuses(click_id) == list(statuses), f"the partner to receive {statuses} and nothing else"
        )


def subscribe(admin: Client, server: ScriptedPartners, product: NewProduct) -> Subscriber:
    path = f"/ok/subscriber-{next(_numbers)}"
    created = admin.create(
        "partners",
        name=path,
        postbackUrl=f"{server.url}{path}?click_id={{click_id}}&status={{status}}",
        filters={"productIds": [product.product_id]},
    ).data
    return Subscriber(created["partnerId"], path, server)


def refer(referrer: Person, referred: Person) -> None:
    """Let the referrer earn a commission on what the other user earns from now on."""
    answer = referred.app.call("PUT", "/api/v1/earn/referrer", json={"referrerId": referrer.user_id})
    assert answer.status == 200


def pages(read: Callable[..., Any], **query: Any) -> list[list[dict[str, Any]]]:
    """Return all pages of a listing, as `read(**query)` answers them."""
    found, cursor = [], {}
    while True:
        page = read(**query, **cursor).data
        found.append(page["items"])
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}
