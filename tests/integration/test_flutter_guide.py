"""The Dart code of docs/flutter.md against answers of the deployed stack: there is no Dart here to run it.

Each `fromJson` of the guide is read for what it takes from an answer and as what; real answers must have it.
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
from tests.integration.conftest import Rows, eventually
from tests.template.cloudformation import load

DART = "\n".join(blocks("flutter.md", "dart"))
_FACTORY = re.compile(r"factory (?P<name>\w+)\.fromJson\(Map<String, dynamic> json\) \{(?P<body>.*?)\n  \}", re.DOTALL)
_TAKEN = re.compile(r"(?P<inside>DateTime\.\w+|Uri\.parse|_each)?\(?json\['(?P<key>\w+)'\] as (?P<type>[\w<>]+\??)")
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
    """As the guide's `name.fromJson(json)` would; AssertionError where Dart would throw."""
    body = FACTORIES[name]
    assert isinstance(json, dict)
    for taken in _TAKEN.finditer(body):
        value, kind = json.get(taken["key"]), taken["type"]
        if value is None:
            assert kind.endswith("?"), f"{name}: {taken['key']} is missing in {json}"
            continue
        assert isinstance(value, _DART_TYPES[kind.removesuffix("?")]), f"{name}: {taken['key']} in {json}"
        assert isinstance(value, bool) is (kind == "bool")
        _IN_DART.get(taken["inside"] or "", str)(value)
    for inner in _LIST.finditer(body):
        for item in json[inner["key"]]:
            parse(inner["name"], item)
    for itself in _ITSELF.finditer(body):
        parse(itself["name"], json)


@pytest.fixture(scope="module")
def earner(new_person, new_product, public):
    """Someone with everything in the ledger: credited, pending, taken back; in two currencies; and a referrer."""
    person, referrer = new_person(), new_person()
    code = referrer.app.get("/api/v1/earn/referrer").data["referralCode"]
    person.app.call("PUT", "/api/v1/earn/referrer", json={"referralCode": code})
    product = new_product()
    for word, amount in (("approved", 12.5), ("pending", 3), ("approved", 4), ("rejected", 5)):
        click_id = person.app.click(product.product_id).data["clickId"]
        public.postback(click_id, token=product.token, amount=amount, status=word, transactionId=click_id)
    refunded = next(e for e in person.app.earnings()["earnings"] if e["amount"] == 4)
    public.postback(refunded["clickId"], token=product.token, status="refund", transactionId=refunded["clickId"])
    coins = new_product(currency="COINS")
    public.postback(person.app.click(coins.product_id).data["clickId"], token=coins.token)
    eventually(lambda: len(referrer.app.earnings()["earnings"]) >= 2, "the referrer's commissions")
    return person, referrer


def test_every_read_of_the_guide_is_understood_by_this_test():
    assert set(FACTORIES) == {
        *("Product", "ProductPage", "Click", "ClickLog", "Wallet", "Balances", "Earning", "EarningPage"),
    }
    for name, body in FACTORIES.items():
        assert len(_TAKEN.findall(body)) == body.count("json['"), name
        assert _TAKEN.search(body) or _ITSELF.search(body)


@pytest.mark.parametrize(
    "json", [{}, {"clickId": 1}, {"clickId": "c", "redirectUrl": "https://a", "expiresAt": "soon"}]
)
def test_an_answer_that_is_not_as_the_guide_says_would_be_seen(json):
    with pytest.raises((AssertionError, ValueError)):
        parse("Click", json)


def test_a_click_is_as_the_guide_reads_it(person, new_product):
    answer = person.app.click(new_product().product_id, offerId="offer-1")
    assert answer.status == 201
    parse("Click", answer.data)
    query = parse_qs(urlsplit(answer.data["redirectUrl"]).query)
    assert query["click_id"] == [answer.data["clickId"]]


def test_what_became_of_clicks_is_as_the_guide_reads_it(earner, new_product, rows: Rows):
    person, _ = earner
    clicks = {e["clickId"] for e in person.app.earnings()["earnings"] if e["clickId"]}
    fresh, expired = (person.app.click(new_product().product_id).data["clickId"] for _ in range(2))
    rows.set("Clicks", {"clickId": expired}, expiresAt="2020-01-01T00:00:00.000Z")
    logs = [person.app.get(f"/api/v1/earn/clicks/{click_id}").data for click_id in (*clicks, fresh, expired)]
    for log in logs:
        parse("ClickLog", log)
    assert {log["status"] for log in logs} == set(re.findall(r"^\| `([a-z]+)` \|", text("flutter.md"), re.MULTILINE))


def test_wallets_are_as_the_guide_reads_them(earner, new_person):
    for person in (*earner, new_person()):
        parse("Balances", person.app.wallet())
    assert len(earner[0].app.wallet()["wallets"]) == 2


def test_earnings_are_as_the_guide_reads_them(earner):
    seen = []
    for person in earner:
        for limit in ("1", "20"):
            page = person.app.earnings(limit=limit)
            parse("EarningPage", page)
        seen += page["earnings"]
    assert {earning["type"] for earning in seen} == {"conversion", "reversal", "referral"}
    assert {earning["status"] for earning in seen} == {"completed", "pending", "cancelled"}
    assert any(earning["creditedAt"] is None for earning in seen)


def test_products_are_as_the_guide_reads_them(person, new_product):
    new_product()
    for limit in ("1", "20"):
        parse("ProductPage", person.app.get("/api/v1/earn/products", limit=limit).data)


def test_errors_are_as_the_guide_reads_them(person, new_product, stack):
    """A code where `error` is an object, and none in API Gateway's own answers."""
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


def test_the_guide_knows_no_code_that_we_do_not_send():
    ours = {kind.code for kind in _all_kinds(RicochetError)}
    assert set(re.findall(r"case '(\w+)':", DART)) - {"HTTP_401"} <= ours
    table = text("flutter.md").partition("## Errors")[2].partition("## ")[0]
    assert set(re.findall(r"`([A-Z]+_[A-Z_]+)`", table)) <= ours


def test_the_guide_calls_routes_that_there_are():
    calls = set(re.findall(r"_send\('(\w+)', '([^']+)'", DART)) | {("GET", "/earn/track/$clickId")}
    called = {(method, re.sub(r"\$\w+", "{}", f"/api/v1{path}")) for method, path in calls}
    routes = {
        (event["Method"], re.sub(r"\{\w+\}", "{}", event["Path"])) for _, event in load().events("HttpApi").values()
    }
    assert len(called) == 6
    assert called <= routes


def test_the_guide_sends_fields_that_we_take():
    sent = set(re.findall(r"'(\w+)': \1", DART.partition("body: {")[2].partition("}")[0]))
    assert sent == {"taskUrl", "offerId"}
    assert sent <= {field.alias for field in ClickRequest.model_fields.values()}


def _all_kinds(kind: type[RicochetError]) -> set[type[RicochetError]]:
    return {kind, *(inner for child in kind.__subclasses__() for inner in _all_kinds(child))}
