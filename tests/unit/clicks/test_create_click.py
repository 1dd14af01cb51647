"""Creating a click, reading it, and its expiry."""

import pytest

from ricochet.clicks.click import ttl_of
from ricochet.clicks.create_click import ClickRequest, CreateClick
from ricochet.clicks.read_click import ReadClick
from ricochet.errors import (
    ClickNotFoundError,
    InvalidRequestError,
    ProductNotFoundError,
    ProductPausedError,
    TaskUrlNotAllowedError,
)
from ricochet.values.inputs import validate
from ricochet.values.statuses import ClickStatus
from tests.unit.builders import CLICK_ID, IN_AN_HOUR, NOON, TOMORROW, InMemoryLedger, a_click, a_product, a_report


class ClicksInMemory:
    def __init__(self, *clicks):
        self.rows = {click.click_id: click for click in clicks}

    def create(self, click):
        self.rows[click.click_id] = click

    def get(self, click_id):
        return self.rows.get(click_id)

    def count_visit(self, click_id, moment):
        return self.rows.get(click_id)


class ProductVersions:
    """A product as cached and as it is now."""

    def __init__(self, *versions):
        self.known = versions

    def cached_then_fresh(self, product_id):
        return iter(self.known)


def send_out(*versions, **fields) -> tuple[dict, ClicksInMemory]:
    clicks = ClicksInMemory()
    create = CreateClick(ProductVersions(*versions or [a_product()]), clicks, clock=lambda: NOON)
    request = validate(fields, ClickRequest)
    data = create(
        "user_1", "prod_1", request, ip="203.0.113.9", user_agent="x" * 500, public_base_url="https://api.example"
    )
    return data.to_json(), clicks


def test_a_click_redirects_to_the_products_url_with_our_parameters():
    data, clicks = send_out()
    (click_id,) = clicks.rows
    tracking_url = f"https://api.example/api/v1/earn/postback?click_id={click_id}"
    assert data["clickId"] == click_id
    assert data["trackingUrl"] == tracking_url
    assert data["expiresAt"] == TOMORROW
    assert data["redirectUrl"].startswith(f"https://shop.example/offer?click_id={click_id}&postback_url=https%3A%2F%2F")


def test_a_click_keeps_the_apps_tags_and_the_users_address():
    _, clicks = send_out(subid="mine", sub5="five", offerId="offer_9", taskUrl="https://shop.example/other")
    (click,) = clicks.rows.values()
    assert (click.subid, click.sub5, click.offer_id, click.sub1) == ("mine", "five", "offer_9", None)
    assert (click.task_url, click.user_id, click.ip) == ("https://shop.example/other", "user_1", "203.0.113.9")
    assert len(click.user_agent) <= 160
    assert (click.expires_at, click.ttl) == (TOMORROW, ttl_of(TOMORROW))


def test_a_product_sets_how_long_its_clicks_live():
    assert send_out(a_product(click_ttl_hours=1))[0]["expiresAt"] == IN_AN_HOUR


@pytest.mark.parametrize("url", ["https://evil.example/", "javascript:alert(1)", "https://shop.example@evil.example/"])
def test_a_click_redirects_to_no_other_host(url):
    with pytest.raises(TaskUrlNotAllowedError):
        send_out(taskUrl=url)


@pytest.mark.parametrize(
    ("versions", "refusal"),
    [
        ([a_product(status="archived")], ProductNotFoundError),
        ([a_product(status="paused")], ProductPausedError),
        ([a_product(), a_product(status="paused")], None),
        ([a_product(status="paused"), a_product()], None),
    ],
    ids=["archived", "paused", "paused a moment ago", "active again"],
)
def test_only_an_active_product_accepts_clicks(versions, refusal):
    if refusal:
        with pytest.raises(refusal):
            send_out(*versions)
    else:
        assert send_out(*versions)[0]["clickId"]


def test_an_unknown_product_is_not_found():
    with pytest.raises(ProductNotFoundError):
        CreateClick(ProductVersions(), ClicksInMemory())(
            "user_1", "nobody", ClickRequest(), ip="", user_agent="", public_base_url=""
        )


@pytest.mark.parametrize(("field", "value"), [("subid", "x" * 129), ("sub1", 5), ("taskUrl", ""), ("px", ["a"])])
def test_a_wrong_field_is_named(field, value):
    with pytest.raises(InvalidRequestError, match=f"{field}: "):
        validate({field: value}, ClickRequest)


def read(click, moment=IN_AN_HOUR, user_id="user_1", click_id=CLICK_ID) -> dict:
    return (
        ReadClick(ClicksInMemory(click), clock=lambda: moment).own(user_id, click_id, "https://api.example").to_json()
    )


def test_a_user_sees_the_click_without_internal_fields():
    log = read(a_click(ip="203.0.113.9", visits=3, sub1="one"), click_id=CLICK_ID.replace("-", ""))
    assert log["clickId"] == CLICK_ID
    assert log["redirectUrl"].startswith(f"https://shop.example/offer?click_id={CLICK_ID}&postback_url=")
    assert (log["status"], log["postbackReceived"], log["sub1"], log["clickedAt"]) == ("pending", False, "one", NOON)
    assert (log["updatedAt"], "postbackReceivedAt" in log, "conversionId" in log) == (NOON, False, False)
    assert {"ip", "ttl", "visits", "outcome", "closed"}.isdisjoint(log)
    assert "203.0.113.9" not in str(log)


@pytest.mark.parametrize("theirs", ["theirs", None])
def test_a_converted_click_names_its_conversion(theirs):
    ledger = InMemoryLedger(click=a_click(ip="203.0.113.9", visits=3, first_visit_at=NOON))
    conversion = ledger.report(a_report(source_conversion_id=theirs)).conversion
    log = read(ledger.click.with_changes(postback_at=IN_AN_HOUR, closed=True))
    assert (log["status"], log["conversionId"]) == ("converted", theirs or conversion.conversion_id)
    assert {"ip", "ttl", "visits", "firstVisitAt", "postbackAt", "outcome", "closed"}.isdisjoint(log)
    assert (log["postbackReceived"], log["postbackReceivedAt"], log["updatedAt"]) == (True, IN_AN_HOUR, IN_AN_HOUR)


@pytest.mark.parametrize(("user_id", "click_id"), [("user_2", CLICK_ID), ("user_1", "nonsense"), ("user_1", "0" * 32)])
def test_another_users_click_is_not_found(user_id, click_id):
    with pytest.raises(ClickNotFoundError, match="there is no such click"):
        read(a_click(), user_id=user_id, click_id=click_id)


@pytest.mark.parametrize(
    ("click", "moment", "shown"),
    [
        (a_click(), IN_AN_HOUR, "pending"),
        (a_click(), TOMORROW, "expired"),
        (a_click(status=ClickStatus.CONVERTED), TOMORROW, "converted"),
        (a_click(status=ClickStatus.REJECTED), TOMORROW, "rejected"),
        (
            a_click(
                outcome={
                    "conversionId": "C",
                    "status": "pending",
                    "reportKey": "12345678",
                    "amount": 1,
                }
            ),
            TOMORROW,
            "pending",
        ),
    ],
)
def test_only_a_click_without_a_result_expires(click, moment, shown):
    assert click.status_at(moment) == shown


def test_a_visit_returns_the_clicks_status():
    visits = ReadClick(ClicksInMemory(a_click()), clock=lambda: IN_AN_HOUR)
    assert visits.visited(CLICK_ID.upper()).to_json() == {"clickId": CLICK_ID, "status": "pending"}
    for unknown in ("0" * 32, "nonsense", ""):
        with pytest.raises(ClickNotFoundError):
            visits.visited(unknown)


def test_a_click_is_deleted_thirty_days_after_it_expired():
    assert ttl_of("1970-01-02T00:00:00.000Z") == 31 * 86_400
