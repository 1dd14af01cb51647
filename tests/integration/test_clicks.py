"""Clicks: the contract that apps depend on."""

from __future__ import annotations

import re
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from local.client import Client
from tests.integration.api_description import checked
from tests.integration.rows import Rows

UTC_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_click_response_is_what_apps_expect(person, new_product):
    product = new_product(taskUrl="https://example.com/offer?src=app&a=1")
    answer = person.app.click(product.product_id, taskUrl="https://example.com/offer?src=app&a=1", offerId="o-1")
    assert answer.status == 201
    assert answer.body["success"] is True
    assert answer.body["message"] == "Click generated successfully"
    data = answer.data
    assert set(data) == {"clickId", "redirectUrl", "expiresAt", "trackingUrl"}
    assert uuid.UUID(data["clickId"]).version == 4
    assert UTC_MILLISECONDS.fullmatch(data["expiresAt"])
    query = parse_qs(urlsplit(data["redirectUrl"]).query)
    assert query == {
        "src": ["app"],
        "a": ["1"],
        "click_id": [data["clickId"]],
        "postback_url": [data["trackingUrl"]],
    }
    assert data["trackingUrl"].endswith(f"/api/v1/earn/postback?click_id={data['clickId']}")


def test_an_advertiser_can_call_the_tracking_url(person, public, new_product):
    product = new_product(postbackAuth={"mode": "open"}, approval="auto")
    click = person.app.click(product.product_id).data
    assert click["trackingUrl"].startswith(public.api_url)
    assert Client(click["trackingUrl"]).call("GET", "&amount=5").data["amount"] == 5


def test_without_a_task_url_the_one_of_the_product_is_used(person, new_product):
    product = new_product(taskUrl="https://example.com/own")
    assert person.app.click(product.product_id).data["redirectUrl"].startswith("https://example.com/own?click_id=")


def test_an_empty_body_is_accepted(person, new_product):
    path = f"/api/v1/earn/products/{new_product().product_id}/click"
    assert person.app.call("POST", path).status == 201


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/offer",
        "javascript:alert(1)",
        "data:text/html,hello",
        "ftp://example.com/offer",
        "https://user:password@example.com/offer",
        "https://example.com@evil.example/",
        "https://example.com\\@evil.example/",
        "https://example.com.evil.example/",
        "//example.com/offer",
        "https://example.com:8443/offer",
        "https:///offer",
        "https://exam\tple.com/",
        "example.com/offer",
    ],
)
def test_a_task_url_outside_the_products_hosts_is_refused(person, new_product, url):
    answer = person.app.click(new_product().product_id, taskUrl=url)
    assert (answer.status, answer.code) == (400, "TASK_URL_NOT_ALLOWED")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "INVALID_BODY"),
        (b"[]", "INVALID_BODY"),
        (b'"text"', "INVALID_BODY"),
        (b"\xff\xfe", "INVALID_BODY"),
        (b'{"taskUrl": 5}', "INVALID_REQUEST"),
        (b'{"offerId": ["a"]}', "INVALID_REQUEST"),
        (b'{"sub1": {"a": 1}}', "INVALID_REQUEST"),
        (b'{"country": "Germany"}', "INVALID_REQUEST"),
        (b'{"subid": "' + b"x" * 200 + b'"}', "INVALID_REQUEST"),
    ],
)
def test_an_invalid_body_is_refused_with_its_code(person, new_product, body, code):
    path = f"/api/v1/earn/products/{new_product().product_id}/click"
    answer = person.app.call("POST", path, data=body, headers={"content-type": "application/json"})
    assert (answer.status, answer.code) == (400, code)


def test_a_huge_body_is_refused(person, new_product):
    path = f"/api/v1/earn/products/{new_product().product_id}/click"
    answer = person.app.call("POST", path, data=b'{"a": "' + b"x" * 300_000 + b'"}')
    assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")


def test_unknown_fields_are_ignored(person, new_product):
    assert person.app.click(new_product().product_id, colour="green", nested={"a": [1]}).status == 201


def test_an_unknown_product_is_not_found(person):
    answer = person.app.click("no-such-product")
    assert (answer.status, answer.code) == (404, "PRODUCT_NOT_FOUND")


def test_a_paused_product_refuses_clicks_until_it_is_active_again(person, admin, new_product):
    product = new_product(status="paused")
    answer = person.app.click(product.product_id)
    assert (answer.status, answer.code) == (409, "PRODUCT_PAUSED")
    admin.patch("products", product.product_id, status="active")
    assert person.app.click(product.product_id).status == 201


@pytest.mark.parametrize(
    "token",
    [
        None,
        "nonsense",
        "a.b.c",
        # signed by another issuer
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJ4IiwiaXNzIjoiaHR0cHM6Ly9ldmlsLmV4YW1wbGUifQ.c2lnbmF0dXJl",
        # alg none
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/earn/products/p/click"),
        ("GET", "/api/v1/earn/clicks/550e8400-e29b-41d4-a716-446655440000"),
        ("GET", "/api/v1/earn/products"),
        ("GET", "/api/v1/earn/earnings"),
        ("GET", "/api/v1/earn/wallet"),
        ("PUT", "/api/v1/earn/referrer"),
        ("POST", "/api/v1/admin/products"),
        ("GET", "/api/v1/admin/partners"),
    ],
)
def test_a_request_without_a_valid_token_is_unauthorized(stack, method, path, token):
    assert checked(Client(stack.api_url, token)).call(method, path).status == 401


def test_a_tampered_token_is_unauthorized(stack, person):
    header, payload, signature = person.account.token.split(".")
    assert Client(stack.api_url, f"{header}.{payload[:-4]}AAAA.{signature}").get("/api/v1/earn/wallet").status == 401


def test_users_can_read_their_own_click(person, new_product):
    product = new_product(taskUrl="https://example.com/offer?x=1")
    click = person.app.click(product.product_id, offerId="o-9", sub1="s").data
    log = person.app.get(f"/api/v1/earn/clicks/{click['clickId']}").data
    assert log["clickId"] == click["clickId"]
    assert log["userId"] == person.user_id
    assert log["redirectUrl"] == click["redirectUrl"]
    assert log["taskUrl"] == "https://example.com/offer?x=1"
    assert log["offerId"] == "o-9"
    assert log["expiresAt"] == click["expiresAt"]
    assert log["status"] == "pending"
    assert log["postbackReceived"] is False
    assert not {"ip", "ipAddress", "ttl"} & set(log)


def test_another_users_click_is_not_found(person, new_person, new_product):
    click_id = person.app.click(new_product().product_id).data["clickId"]
    answer = new_person().app.get(f"/api/v1/earn/clicks/{click_id}")
    assert (answer.status, answer.code) == (404, "CLICK_NOT_FOUND")


def test_an_expired_click_shows_as_expired(person, new_product, rows: Rows):
    click_id = person.app.click(new_product().product_id).data["clickId"]
    rows.set("Clicks", {"clickId": click_id}, expiresAt="2020-01-01T00:00:00.000Z")
    assert person.app.get(f"/api/v1/earn/clicks/{click_id}").data["status"] == "expired"


def test_visits_are_counted_and_the_first_one_is_recorded(person, public, new_product, rows: Rows):
    click_id = person.app.click(new_product().product_id).data["clickId"]
    first = public.track(click_id)
    assert (first.status, first.body["message"]) == (200, "Click tracked")
    assert first.data == {"clickId": click_id, "status": "pending"}
    (before,) = rows.find("Clicks", clickId=click_id)
    time.sleep(0.01)  # so that the second visit has another time
    public.track(click_id)
    (after,) = rows.find("Clicks", clickId=click_id)
    assert (before["visits"], after["visits"]) == (1, 2)
    assert before["firstVisitAt"] == after["firstVisitAt"]


@pytest.mark.parametrize("click_id", ["550e8400-e29b-41d4-a716-446655440000", "not-a-click"])
def test_tracking_an_unknown_click_creates_nothing(public, rows: Rows, click_id):
    answer = public.track(click_id)
    assert (answer.status, answer.code) == (404, "CLICK_NOT_FOUND")
    assert rows.find("Clicks", clickId=click_id) == []


def test_active_products_are_listed_page_by_page(person, new_product):
    wanted = {new_product().product_id for _ in range(3)}
    hidden = new_product(status="paused").product_id
    seen, cursor = [], None
    while True:
        page = person.app.get("/api/v1/earn/products", limit=2, **({"cursor": cursor} if cursor else {})).data
        assert len(page["products"]) <= 2
        seen += [product["productId"] for product in page["products"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert wanted <= set(seen)
    assert hidden not in seen
