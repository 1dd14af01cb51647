"""The Dart code of docs/flutter.md against answers of the deployed stack, without running Dart.

Each `fromJson` of the guide is parsed for the fields that it reads and their types; real answers must have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.client import Client
from ricochet.clicks.create_click import ClickRequest
from ricochet.errors import RicochetError
from tests.guides import blocks, text
from tests.integration.rows import Rows
from tests.template.cloudformation import load
from tests.waiting import eventually

DART = "\n".join(blocks("flutter.md", "dart"))
_FACTORY = re.compile(r"factory (?P<name>\w+)\.fromJson\(Map<String, dynamic> json\) \{(?P<body>.*?)\n  \}", re.DOTALL)
_READ = re.compile(r"(?P<inside>DateTime\.\w+|Uri\.parse|_each)?\(?json\['(?P<key>\w+)'\] as (?P<type>[\w<>]+\??)")
_LIST = re.compile(r"_each\(json\['(?P<key>\w+)'\] as List<dynamic>, (?P<name>\w+)\.fromJson\)")
_ITSELF = re.compile(r"(?P<name>\w+)\.fromJson\(json\)")
_DART_TYPES: dict[str, type | tuple[type, ...]] = {
    "String": str,
    "num": (int, float),
    "bool": bool,
    "List<dynamic>": list,
}
_IN_DART: dict[str, Callable[[str], Any]] = {
    "DateTime.parse": datetime.fromisoformat,
    "DateTime.tryParse": datetime.fromisoformat,
    "Uri.parse": urlsplit,
}
FACTORIES = {match["name"]: match["body"] for match in _FACTORY.finditer(DART)}


def parse(name: str, json: Any) -> None:
    """Check what the guide's `name.fromJson(json)` reads; AssertionError where Dart would throw."""
    body = FACTORIES[name]
    assert isinstance(json, dict)
    for read in _READ.finditer(body):
        value, kind = json.get(read["key"]), read["type"]
        if value is None:
            assert kind.endswith("?"), f"{name}: {read['key']} is missing in {json}"
            continue
        assert isinstance(value, _DART_TYPES[kind.removesuffix("?")]), f"{name}: {read['key']} in {json}"
        assert isinstance(value, bool) is (kind == "bool")
        _IN_DART.get(read["inside"] or "", str)(value)
    for inner in _LIST.finditer(body):
        for item in json[inner["key"]]:
            parse(inner["name"], item)
    for itself in _ITSELF.finditer(body):
        parse(itself["name"], json)


@pytest.fixture(scope="module")
def earner(new_person, new_product, public):
    """A user with earnings of every kind: credited, pending, reversed; in two currencies; and the referrer."""
    person, referrer = new_person(), new_person()
    code = referrer.app.get("/api/v1/earn/referrer").data["referralCode"]
    person.app.call("PUT", "/api/v1/earn/referrer", json={"referralCode": code})
    product = new_product()
    for status, amount in (("approved", 12.5), ("pending", 3), ("approved", 4), ("rejected", 5)):
        click_id = person.app.click(product.product_id).data["clickId"]
        public.postback(click_id, token=product.token, amount=amount, status=status, transactionId=click_id)
    refunded = next(e for e in person.app.earnings()["earnings"] if e["amount"] == 4)
    public.postback(refunded["clickId"], token=product.token, status="refund", transactionId=refunded["clickId"])
    coins = new_product(currency="COINS")
    public.postback(person.app.click(coins.product_id).data["clickId"], token=coins.token)
    eventually(lambda: len(referrer.app.earnings()["earnings"]) >= 2, "the referrer's commissions")
    return person, referrer


def test_this_test_understands_every_factory_of_the_guide():
    assert set(FACTORIES) == {
        *("Product", "ProductPage", "Click", "ClickLog", "Wallet", "Balances", "Earning", "EarningPage"),
    }
    for name, body in FACTORIES.items():
        assert len(_READ.findall(body)) == body.count("json['"), name
        assert _READ.search(body) or _ITSELF.search(body)


@pytest.mark.parametrize(
    "json", [{}, {"clickId": 1}, {"clickId": "c", "redirectUrl": "https://a", "expiresAt": "soon"}]
)
def test_an_answer_that_contradicts_the_guide_is_detected(json):
    with pytest.raises((AssertionError, ValueError)):
        parse("Click", json)


def test_the_guide_can_parse_a_click(person, new_product):
    answer = person.app.click(new_product().product_id, offerId="offer-1")
    assert answer.status == 201
    parse("Click", answer.data)
    query = parse_qs(urlsplit(answer.data["redirectUrl"]).query)
    assert query["click_id"] == [answer.data["clickId"]]


def test_the_guide_can_parse_click_logs_of_every_status(earner, new_product, rows: Rows):
    person, _ = earner
    clicks = {e["clickId"] for e in person.app.earnings()["earnings"] if e["clickId"]}
    fresh, expired = (person.app.click(new_product().product_id).data["clickId"] for _ in range(2))
    rows.set("Clicks", {"clickId": expired}, expiresAt="2020-01-01T00:00:00.000Z")
    logs = [person.app.get(f"/api/v1/earn/clicks/{click_id}").data for click_id in (*clicks, fresh, expired)]
    for log in logs:
        parse("ClickLog", log)
    assert {log["status"] for log in logs} == set(re.findall(r"^\| `([a-z]+)` \|", text("flutter.md"), re.MULTILINE))


def test_the_guide_can_parse_wallets(earner, new_person):
    for person in (*earner, new_person()):
        parse("Balances", person.app.wallet())
    assert len(earner[0].app.wallet()["wallets"]) == 2


def test_the_guide_can_parse_earnings(earner):
    seen = []
    for person in earner:
        for limit in ("1", "20"):
            page = person.app.earnings(limit=limit)
            parse("EarningPage", page)
        seen += page["earnings"]
    assert {earning["type"] for earning in seen} == {"conversion", "reversal", "referral"}
    assert {earning["status"] for earning in seen} == {"completed", "pending", "cancelled"}
    assert any(earning["creditedAt"] is None for earning in seen)


def test_the_guide_can_parse_products(person, new_product):
    new_product()
    for limit in ("1", "20"):
        parse("ProductPage", person.app.get("/api/v1/earn/products", limit=limit).data)


def test_the_guide_can_parse_errors(person, new_product, stack):
    """Our errors have a code; API Gateway's own have none."""
    assert "error is Map<String, dynamic> ? error['code'] : null" in DART
    refused = [
        person.app.click("no-such-product"),
        person.app.click(new_product(status="paused").product_id),
        person.app.click(new_product().product_id, taskUrl="https://evil.example/"),
        person.app.get("/api/v1/earn/earnings", cursor="x"),
    ]
    for answer in refused:
        assert isinstance(answer.body["error"]["code"], str)
        assert isinstance(answer.body["message"], str)
    codes = {"PRODUCT_NOT_FOUND", "PRODUCT_PAUSED", "TASK_URL_NOT_ALLOWED", "INVALID_CURSOR"}
    assert {answer.code for answer in refused} == codes
    unknown = Client(stack.api_url, "nonsense").get("/api/v1/earn/wallet")
    assert unknown.status == 401
    assert "error" not in unknown.body


def test_the_guide_lists_only_existing_error_codes():
    ours = {kind.code for kind in _subclasses(RicochetError)}
    assert set(re.findall(r"case '(\w+)':", DART)) - {"HTTP_401"} <= ours
    table = text("flutter.md").partition("## Errors")[2].partition("## ")[0]
    assert set(re.findall(r"`([A-Z]+_[A-Z_]+)`", table)) <= ours


def test_the_guide_calls_only_existing_routes():
    calls = set(re.findall(r"_send\('(\w+)', '([^']+)'", DART)) | {("GET", "/earn/track/$clickId")}
    called = {(method, re.sub(r"\$\w+", "{}", f"/api/v1{path}")) for method, path in calls}
    routes = {
        (event["Method"], re.sub(r"\{\w+\}", "{}", event["Path"])) for _, event in load().events("HttpApi").values()
    }
    assert len(called) == 6
    assert called <= routes


def test_the_guide_sends_only_accepted_fields():
    sent = set(re.findall(r"'(\w+)': \1", DART.partition("body: {")[2].partition("}")[0]))
    assert sent == {"taskUrl", "offerId"}
    assert sent <= {field.alias for field in ClickRequest.model_fields.values()}


def _subclasses(kind: type[RicochetError]) -> set[type[RicochetError]]:
    return {kind, *(inner for child in kind.__subclasses__() for inner in _subclasses(child))}
