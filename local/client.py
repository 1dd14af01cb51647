"""A small API client, as an app, an advertiser or an operator would write it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def data(self) -> Any:
        """The `data` of a success; raise AssertionError with the whole answer otherwise."""
        if not (200 <= self.status < 300 and self.body["success"]):
            raise AssertionError(f"{self.status}: {self.body}")
        return self.body["data"]

    @property
    def code(self) -> str:
        """The error code of a failure."""
        return str(self.body["error"]["code"])


class Client:
    """Calls the API, with or without a bearer token."""

    def __init__(self, api_url: str, token: str | None = None) -> None:
        self.api_url = api_url
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **more: Any) -> Answer:
        response = self.session.request(method, self.api_url + path, timeout=TIMEOUT_SECONDS, **more)
        try:
            body = response.json()
        except ValueError:
            body = response.text
        return Answer(response.status_code, body)

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, params=query)

    def click(self, product_id: str, **fields: Any) -> Answer:
        return self.call("POST", f"/api/v1/earn/products/{product_id}/click", json=fields)

    def track(self, click_id: str) -> Answer:
        return self.get(f"/api/v1/earn/track/{click_id}")

    def postback(self, click_id: str, *, token: str | None = None, **fields: Any) -> Answer:
        headers = {"X-Postback-Token": token} if token else {}
        return self.call("POST", "/api/v1/earn/postback", params={"click_id": click_id}, json=fields, headers=headers)

    def network_postback(self, unique_key: str, **more: Any) -> Answer:
        """Send a network's postback with `params`, `headers`, and `data` or `json`; a GET unless it has a body."""
        method = "POST" if {"data", "json"} & more.keys() else "GET"
        return self.call(method, f"/postback/{unique_key}", **more)

    def wallet(self) -> Any:
        return self.get("/api/v1/earn/wallet").data

    def earnings(self, **query: Any) -> Any:
        return self.get("/api/v1/earn/earnings", **query).data

    def create(self, kind: str, **fields: Any) -> Answer:
        """Create an admin resource: `products`, `partners` or `networks`."""
        return self.call("POST", f"/api/v1/admin/{kind}", json=fields)

    def patch(self, kind: str, resource_id: str, **fields: Any) -> Answer:
        return self.call("PATCH", f"/api/v1/admin/{kind}/{resource_id}", json=fields)
