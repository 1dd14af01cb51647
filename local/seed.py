"""The demo's data, created through the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.accounts import Account, sign_in
from local.client import Answer, Client
from local.stack import Stack
from ricochet.delivery.partners.partner_health import PARTNER
from ricochet.dynamodb.wire import to_wire

TASK_URL = "https://example.com/offer"
MACROS = "click_id={click_id}&status={status}&payout={payout}&currency={currency}&conversion_id={conversion_id}"


@dataclass(frozen=True)
class Demo:
    user: Account
    referrer: Account
    admin: Account
    products: dict[str, dict[str, str]]
    partners: dict[str, dict[str, str]]
    networks: dict[str, dict[str, str | None]]

    def to_json(self) -> dict[str, Any]:
        return {
            "user": self.user.to_json(),
            "referrer": self.referrer.to_json(),
            "admin": self.admin.to_json(),
            "products": self.products,
            "partners": self.partners,
            "networks": self.networks,
        }


def seed(stack: Stack, partner_url: str) -> Demo:
    """Create the demo's users, products, partners and networks, or update those of an earlier run."""
    user, referrer = sign_in(stack, "demo-user"), sign_in(stack, "demo-referrer")
    admin = sign_in(stack, "demo-admin", "admins")
    operator = Client(stack.api_url, admin.token)
    products = {
        "open": _product(operator, "demo-open", "Open offer", postbackAuth={"mode": "open"}, approval="auto"),
        "secret": _product(operator, "demo-secret", "Offer with a secret", postbackAuth={"mode": "secret"}),
    }
    partners = {
        "get": _partner(operator, "demo-get", "Receives GET", f"{partner_url}/ok/get?{MACROS}"),
        "post": _partner(operator, "demo-post", "Receives POST", f"{partner_url}/ok/post", method="POST"),
        # Purchases only: with five failures in a row, its breaker would open.
        "flaky": _partner(
            operator,
            "demo-flaky",
            "Fails twice",
            f"{partner_url}/flaky/get?{MACROS}&timestamp={{timestamp}}",
            events=["Purchase"],
        ),
    }
    _reset_health(stack, partners)
    networks = {
        "generic": _network(operator, "generic", "Any network"),
        "clickbank": _network(operator, "clickbank", "ClickBank"),
        "buygoods": _network(operator, "buygoods", "BuyGoods"),
    }
    _refer(stack, user, referrer)
    return Demo(user, referrer, admin, products, partners, networks)


def _product(operator: Client, product_id: str, name: str, **more: Any) -> dict[str, str]:
    fields = {"name": name, "taskUrl": TASK_URL, "earnUpTo": "100.00", "currency": "USD"} | more
    data = _create_or_update(operator, "products", "productId", product_id, fields, {"rotatePostbackToken": True})
    return {name: data[name] for name in ("productId", "postbackToken") if name in data}


def _partner(operator: Client, partner_id: str, name: str, url: str, **more: Any) -> dict[str, str]:
    fields = {"name": name, "postbackUrl": url} | more
    data = _create_or_update(operator, "partners", "partnerId", partner_id, fields, {"rotateSigningSecret": True})
    return {name: data[name] for name in ("partnerId", "postbackUrl", "signingSecret")}


def _network(operator: Client, preset: str, name: str) -> dict[str, str | None]:
    fields = {"name": name, "preset": preset}
    rotate = {"rotateSecret": True} if preset == "clickbank" else {}
    data = _create_or_update(operator, "networks", "networkId", f"demo-{preset}", fields, rotate)
    return {name: data.get(name) for name in ("networkId", "uniqueKey", "secret", "postbackUrl")}


def _create_or_update(
    operator: Client, kind: str, key: str, resource_id: str, fields: dict[str, Any], rotate: dict[str, bool]
) -> Any:
    created: Answer = operator.create(kind, **{key: resource_id}, **fields)
    if created.status == 409:
        return operator.patch(kind, resource_id, status="active", **fields, **rotate).data
    return created.data


def _reset_health(stack: Stack, partners: dict[str, dict[str, str]]) -> None:
    """Delete the failures of an earlier run; no call of the API does that."""
    for partner in partners.values():
        key = to_wire({"kind": PARTNER, "subject": partner["partnerId"]})
        stack.aws.dynamodb.delete_item(TableName=stack.table("Health"), Key=key)


def _refer(stack: Stack, user: Account, referrer: Account) -> None:
    code = Client(stack.api_url, referrer.token).get("/api/v1/earn/referrer").data["referralCode"]
    answer = Client(stack.api_url, user.token).call("PUT", "/api/v1/earn/referrer", json={"referralCode": code})
    if answer.status not in (200, 409):
        raise AssertionError(f"{answer.status}: {answer.body}")
