"""Conversions are reported: who can report them, how much they are worth, and that each counts once."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from local.client import Client
from ricochet.values import times
from tests.integration.rows import Rows
from tests.waiting import eventually

POSTBACK = "/api/v1/earn/postback"


@pytest.fixture
def paying(person, new_product):
    """A click on a product that accepts reports of anyone: the user, and the click's id."""
    product = new_product(postbackAuth={"mode": "open"}, approval="auto")
    return person, person.app.click(product.product_id, offerId="offer-1").data["clickId"]


def test_a_credited_conversion_is_what_advertisers_and_apps_expect(paying, public):
    person, click_id = paying
    answer = public.postback(
        click_id, amount=50.00, status="completed", transactionId="txn_123456", conversionId="conv_789012"
    )
    assert (answer.status, answer.body["message"]) == (200, "Postback received and processed")
    data = answer.data
    assert set(data) == {"earningId", "clickId", "conversionId", "status", "amount"}
    assert (data["clickId"], data["conversionId"]) == (click_id, "conv_789012")
    assert (data["status"], data["amount"]) == ("completed", 50)
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["currency"], wallet["pending"], wallet["lifetime"]) == (50, "USD", 0, 50)
    assert wallet["wallets"] == [{"currency": "USD", "balance": 50, "pending": 0, "lifetime": 50}]
    (earning,) = person.app.earnings()["earnings"]
    assert earning["earningId"] == data["earningId"]
    assert (earning["type"], earning["status"], earning["approvalStatus"]) == (
        "conversion",
        "completed",
        "auto_approved",
    )
    assert (earning["offerId"], earning["conversionId"], earning["clickId"]) == ("offer-1", "conv_789012", click_id)
    assert earning["creditedAt"] == earning["earnedAt"]
    click = person.app.get(f"/api/v1/earn/clicks/{click_id}").data
    assert (click["status"], click["postbackReceived"], click["conversionId"]) == ("converted", True, "conv_789012")


def test_a_new_user_has_an_empty_wallet(person):
    assert person.app.wallet() == {
        "balance": 0,
        "currency": "USD",
        "pending": 0,
        "lifetime": 0,
        "wallets": [{"currency": "USD", "balance": 0, "pending": 0, "lifetime": 0}],
    }


def test_a_get_with_everything_in_the_query_is_a_postback(paying, public):
    person, click_id = paying
    answer = public.get(POSTBACK, click_id=click_id, amount="12.345678", status="approved", transaction_id="t")
    assert answer.data["amount"] == 12.345678
    assert person.app.wallet()["balance"] == 12.345678


def test_a_form_is_a_postback(paying, public):
    _, click_id = paying
    answer = public.call("POST", POSTBACK, params={"click_id": click_id}, data={"amount": "7.50", "status": "sale"})
    assert answer.data["amount"] == 7.5


def test_the_body_overrides_the_query_except_for_the_click(paying, public):
    _, click_id = paying
    another = str(uuid.uuid4())
    answer = public.call(
        "POST", POSTBACK, params={"click_id": click_id, "amount": "1"}, json={"amount": 2, "click_id": another}
    )
    assert (answer.data["clickId"], answer.data["amount"]) == (click_id, 2)


def test_a_click_id_without_dashes_is_the_same_click(paying, public):
    _, click_id = paying
    assert public.postback(click_id.replace("-", ""), amount=1).data["clickId"] == click_id


def test_without_an_amount_the_products_maximum_is_credited(paying, public):
    person, click_id = paying
    assert public.postback(click_id).data["amount"] == 100
    assert person.app.wallet()["balance"] == 100


def test_an_unexpanded_macro_counts_as_missing(paying, public):
    _, click_id = paying
    assert public.get(POSTBACK, click_id=click_id, amount="{payout}", status="[status]").data["amount"] == 100


def test_an_amount_above_the_products_maximum_is_held_for_review(paying, public, rows: Rows):
    person, click_id = paying
    data = public.postback(click_id, amount=100.01).data
    assert data["status"] == "pending"
    wallet = person.app.wallet()
    assert (wallet["balance"], wallet["pending"]) == (0, 100.01)
    (conversion,) = rows.conversions(click_id)
    assert (conversion["status"], conversion["holdReason"]) == ("pending", "amount_over_cap")


def test_an_open_product_credits_nothing_automatically(person, public, new_product):
    product = new_product(postbackAuth={"mode": "open"})
    click_id = person.app.click(product.product_id).data["clickId"]
    assert public.postback(click_id, amount=5).data["status"] == "pending"
    second = public.postback(click_id, amount=5, transactionId="another try")
    assert (second.status, second.code) == (409, "CLICK_ALREADY_CONVERTED")
    assert person.app.wallet()["balance"] == 0


def test_automatic_approval_of_an_open_product_returns_a_warning(admin):
    fields = {"name": "Open", "taskUrl": "https://example.com/", "earnUpTo": 5, "postbackAuth": {"mode": "open"}}
    assert "warnings" not in admin.create("products", **fields).body
    assert admin.create("products", **fields, approval="auto").body["warnings"]


class TestAuthentication:
    def test_a_secret_is_accepted_in_the_header_the_query_or_the_body(self, person, public, new_product):
        product = new_product(postbackAuth={"mode": "secret"}, multipleConversions=True)
        click_id = person.app.click(product.product_id).data["clickId"]
        assert public.postback(click_id, token=product.token, transactionId="1", amount=1).status == 200
        assert public.get(POSTBACK, click_id=click_id, token=product.token, transactionId="2", amount=1).status == 200
        by_body = {"token": product.token, "transactionId": "3", "amount": 1}
        assert public.call("POST", POSTBACK, params={"click_id": click_id}, json=by_body).status == 200
        assert person.app.wallet()["balance"] == 3

    @pytest.mark.parametrize("token", [None, "", "pbt_wrong", "{token}"])
    def test_a_click_id_alone_does_not_authenticate_a_postback(self, person, public, new_product, rows: Rows, token):
        product = new_product()
        click_id = person.app.click(product.product_id).data["clickId"]
        answer = public.postback(click_id, token=token, amount=5)
        assert (answer.status, answer.code) == (403, "POSTBACK_NOT_AUTHENTICATED")
        assert person.app.wallet()["balance"] == 0
        (receipt,) = rows.receipts(click_id)
        assert receipt.outcome == "postback_not_authenticated"

    def test_a_receipt_contains_no_secret(self, person, public, new_product, rows: Rows):
        product = new_product()
        click_id = person.app.click(product.product_id).data["clickId"]
        public.get(POSTBACK, click_id=click_id, token=product.token, amount=1)
        (receipt,) = rows.receipts(click_id)
        assert product.token not in str(receipt)
        assert receipt.outcome == "credited"

    def test_a_rotated_token_is_accepted_at_once(self, person, public, admin, new_product):
        product = new_product(multipleConversions=True)
        click_id = person.app.click(product.product_id).data["clickId"]
        assert public.postback(click_id, token=product.token, transactionId="1").status == 200
        renewed = admin.patch("products", product.product_id, rotatePostbackToken=True).data["postbackToken"]
        assert public.postback(click_id, token=renewed, transactionId="2").status == 200

    def test_the_address_comes_from_the_connection_and_never_from_a_header(self, person, public, new_product):
        ours = new_product(postbackAuth={"mode": "ip", "allowedCidrs": ["127.0.0.0/8"]})
        theirs = new_product(postbackAuth={"mode": "ip", "allowedCidrs": ["203.0.113.0/24"]})
        click_id = person.app.click(ours.product_id).data["clickId"]
        assert public.postback(click_id).status == 200
        click_id = person.app.click(theirs.product_id).data["clickId"]
        forged = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
        answer = public.call("POST", POSTBACK, params={"click_id": click_id}, headers=forged)
        assert (answer.status, answer.code) == (403, "POSTBACK_NOT_AUTHENTICATED")


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ({}, 400, "CLICK_ID_REQUIRED"),
            ({"click_id": ""}, 400, "CLICK_ID_REQUIRED"),
            ({"click_id": "abc"}, 400, "INVALID_CLICK_ID"),
            ({"click_id": "550e8400-e29b-41d4-a716-44665544000g"}, 400, "INVALID_CLICK_ID"),
            ({"click_id": str(uuid.uuid4())}, 404, "CLICK_NOT_FOUND"),
        ],
    )
    def test_operators_can_find_the_receipt_of_an_unknown_click(self, public, admin, query, status, code):
        number = f"t-{uuid.uuid4()}"
        answer = public.call("POST", POSTBACK, params=query, json={"transactionId": number})
        assert (answer.status, answer.code) == (status, code)
        wanted = {"strangers": "true", "day": times.now()[:10], "outcome": code.lower()}

        def found() -> list[str]:
            items = admin.get("/api/v1/admin/receipts", **wanted).data["items"]
            bodies = [admin.get(f"/api/v1/admin/receipts/{item['receiptId']}").data["body"] for item in items]
            return [body for body in bodies if number in body]

        assert len(eventually(found, "the receipt")) == 1

    def test_receipts_of_unidentified_senders_are_listed_newest_first(self, public, admin):
        for _ in range(5):
            public.call("POST", POSTBACK, params={"click_id": str(uuid.uuid4())})
        wanted = {"strangers": "true", "day": times.now()[:10]}
        items, cursor = [], {}
        while cursor is not None:
            page = admin.get("/api/v1/admin/receipts", limit=2, **wanted, **cursor).data
            assert len(page["items"]) <= 2
            items += page["items"]
            cursor = page["nextCursor"] and {"cursor": page["nextCursor"]}
        found = [item["receiptId"] for item in items]
        assert len(found) >= 5
        assert found == sorted(set(found), reverse=True)
        assert {item.get("source") for item in items} == {None}

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ('{"amount": -1}', 400, "INVALID_AMOUNT"),
            ('{"amount": NaN}', 400, "INVALID_AMOUNT"),
            ('{"amount": Infinity}', 400, "INVALID_AMOUNT"),
            ('{"amount": "NaN"}', 400, "INVALID_AMOUNT"),
            ('{"amount": 1e400}', 400, "INVALID_AMOUNT"),
            ('{"amount": "1e400"}', 400, "INVALID_AMOUNT"),
            ('{"amount": "50,00"}', 400, "INVALID_AMOUNT"),
            ('{"amount": 1.000000000000000000000000000001}', 400, "INVALID_AMOUNT"),
            ('{"amount": "0.1234567"}', 400, "INVALID_AMOUNT"),
            ('{"amount": true}', 400, "INVALID_AMOUNT"),
            ('{"amount": [1]}', 400, "INVALID_AMOUNT"),
            ('{"amount": 1000000000}', 400, "INVALID_AMOUNT"),
            ('{"currency": "dollars and cents"}', 400, "INVALID_CURRENCY"),
            ('{"status": "whatever"}', 422, "UNKNOWN_STATUS"),
            ('{"status": 2}', 422, "UNKNOWN_STATUS"),
            ('{"transactionId": {"a": 1}}', 400, "INVALID_REQUEST"),
            ('{"transactionId": "' + "x" * 200 + '"}', 400, "INVALID_REQUEST"),
            ("[1]", 400, "INVALID_BODY"),
            ("null", 400, "INVALID_BODY"),
            ("plain text", 400, "INVALID_BODY"),
            ('{"amount": 5', 400, "INVALID_BODY"),
        ],
    )
    def test_an_invalid_postback_changes_nothing(self, paying, public, rows: Rows, body, status, code):
        person, click_id = paying
        answer = public.call(
            "POST", POSTBACK, params={"click_id": click_id}, data=body, headers={"content-type": "application/json"}
        )
        assert (answer.status, answer.code) == (status, code)
        assert person.app.wallet()["balance"] == 0
        assert rows.conversions(click_id) == []
        (receipt,) = rows.receipts(click_id)
        assert receipt.outcome == code.lower()

    def test_a_body_over_256_kib_is_refused(self, paying, public, rows: Rows):
        _, click_id = paying
        answer = public.call("POST", POSTBACK, params={"click_id": click_id}, data=b"x" * (256 * 1024 + 1))
        assert (answer.status, answer.code) == (413, "BODY_TOO_LARGE")
        (receipt,) = rows.receipts(click_id)
        assert (receipt.body_size, len(receipt.body)) == (256 * 1024 + 1, 2048)

    def test_a_body_of_exactly_256_kib_is_recorded_whole(self, paying, public, rows: Rows):
        _, click_id = paying
        body = json.dumps({"amount": 5, "note": ""})
        body = json.dumps({"amount": 5, "note": "x" * (256 * 1024 - len(body))})
        headers = {"content-type": "application/json"}
        answer = public.call("POST", POSTBACK, params={"click_id": click_id}, data=body, headers=headers)
        assert answer.data["status"] == "completed"
        (receipt,) = rows.receipts(click_id)
        assert receipt.body == body.encode()

    def test_an_expired_click_is_refused(self, paying, public, rows: Rows):
        person, click_id = paying
        rows.set("Clicks", {"clickId": click_id}, expiresAt="2020-01-01T00:00:00.000Z")
        answer = public.postback(click_id, amount=5)
        assert (answer.status, answer.code) == (410, "CLICK_EXPIRED")
        assert person.app.wallet()["balance"] == 0
        (receipt,) = rows.receipts(click_id)
        assert receipt.outcome == "click_expired"

    def test_a_click_that_has_already_converted_is_refused(self, paying, public, rows: Rows):
        person, click_id = paying
        public.postback(click_id, amount=5, transactionId="first")
        answer = public.postback(click_id, amount=5, transactionId="second")
        assert (answer.status, answer.code) == (409, "CLICK_ALREADY_CONVERTED")
        assert person.app.wallet()["balance"] == 5
        assert [receipt.outcome for receipt in rows.receipts(click_id)] == ["credited", "click_already_converted"]


class TestRepeats:
    def test_an_exact_repeat_gets_the_same_answer_and_changes_nothing(self, paying, public, rows: Rows):
        person, click_id = paying
        report = {"amount": 5, "status": "completed", "transactionId": "t-1", "conversionId": "c-1"}
        first = public.postback(click_id, **report).data
        again = public.postback(click_id, **report)
        assert again.status == 200
        assert again.data == first | {"duplicate": True}
        assert person.app.wallet()["balance"] == 5
        assert len(rows.receipts(click_id)) == 1

    def test_the_same_transaction_with_another_amount_is_refused(self, paying, public, rows: Rows):
        person, click_id = paying
        public.postback(click_id, amount=5, transactionId="t-1")
        answer = public.postback(click_id, amount=50, transactionId="t-1")
        assert (answer.status, answer.code) == (409, "CONFLICTING_REPLAY")
        assert person.app.wallet()["balance"] == 5
        assert rows.receipts(click_id)[-1].outcome == "conflicting_replay"

    def test_the_same_transaction_with_another_click_is_refused(self, person, public, new_product):
        product = new_product(postbackAuth={"mode": "open"}, approval="auto")
        clicks = [person.app.click(product.product_id).data["clickId"] for _ in range(2)]
        public.postback(clicks[0], amount=5, transactionId="t-1")
        answer = public.postback(clicks[1], amount=5, transactionId="t-1")
        assert (answer.status, answer.code) == (409, "CONFLICTING_REPLAY")
        assert person.app.wallet()["balance"] == 5

    def test_200_copies_from_ten_threads_credit_once(self, paying, stack):
        person, click_id = paying
        report = {"amount": 5, "transactionId": "t-1"}
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: Client(stack.api_url).postback(click_id, **report), range(200)))
        assert {answer.status for answer in answers} == {200}
        assert len({answer.data["earningId"] for answer in answers}) == 1
        assert sum("duplicate" not in answer.data for answer in answers) == 1
        assert person.app.wallet()["balance"] == 5
        assert len(person.app.earnings()["earnings"]) == 1

    def test_200_conversions_of_one_user_are_credited_200_times(self, person, stack, new_product):
        product = new_product(postbackAuth={"mode": "open"}, approval="auto")

        def convert(number: int) -> int:
            click_id = person.app.click(product.product_id).data["clickId"]
            return Client(stack.api_url).postback(click_id, amount=f"0.{number:03d}", transactionId=str(number)).status

        with ThreadPoolExecutor(10) as pool:
            statuses = set(pool.map(convert, range(1, 201)))
        assert statuses <= {200, 202}
        expected = sum(Decimal(number) for number in range(1, 201)) / 1000

        def all_are_credited() -> bool:
            return Decimal(str(person.app.wallet()["balance"])) == expected

        eventually(all_are_credited, "the last credit")
        earnings, cursor = [], None
        while True:
            page = person.app.earnings(limit=77, **({"cursor": cursor} if cursor else {}))
            earnings += page["earnings"]
            cursor = page["nextCursor"]
            if cursor is None:
                break
        assert len({earning["earningId"] for earning in earnings}) == 200
        assert sum(Decimal(str(earning["amount"])) for earning in earnings) == expected
        assert [e["earnedAt"] for e in earnings] == sorted((e["earnedAt"] for e in earnings), reverse=True)


class TestLaterStatuses:
    @pytest.fixture
    def lead(self, person, public, new_product):
        product = new_product()
        click_id = person.app.click(product.product_id).data["clickId"]

        def report(status, **fields):
            return public.postback(click_id, token=product.token, status=status, transactionId="t-1", **fields)

        return person, click_id, report

    def test_a_lead_becomes_a_purchase(self, lead, rows: Rows):
        person, click_id, report = lead
        assert report("Lead").data["status"] == "pending"
        assert person.app.wallet()["pending"] == 100
        assert report("Purchase", amount=40).data["status"] == "completed"
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["pending"], wallet["lifetime"]) == (40, 0, 40)
        (earning,) = person.app.earnings()["earnings"]
        assert (earning["status"], earning["amount"]) == ("completed", 40)
        (conversion,) = rows.conversions(click_id)
        assert (conversion["status"], conversion["version"]) == ("approved", 2)

    def test_a_lead_is_rejected(self, lead):
        person, click_id, report = lead
        report("Lead")
        assert report("Reject").data["status"] == "cancelled"
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["pending"]) == (0, 0)
        assert person.app.get(f"/api/v1/earn/clicks/{click_id}").data["status"] == "rejected"

    def test_a_refund_reverses_exactly_what_was_credited(self, lead):
        person, _, report = lead
        report("Purchase", amount=40)
        assert report("Refund").data["status"] == "cancelled"
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["lifetime"]) == (0, 40)
        newest, oldest = person.app.earnings()["earnings"]
        assert (newest["type"], newest["amount"]) == ("reversal", -40)
        assert (oldest["type"], oldest["amount"], oldest["status"]) == ("conversion", 40, "completed")

    def test_a_late_lead_changes_nothing(self, lead, rows: Rows):
        person, click_id, report = lead
        report("Purchase", amount=40)
        assert report("Lead").data["status"] == "completed"
        assert person.app.wallet()["balance"] == 40
        assert rows.receipts(click_id)[-1].outcome == "ignored"

    def test_a_status_can_still_change_after_the_click_expired(self, lead, rows: Rows):
        person, click_id, report = lead
        report("Lead", amount=40)
        rows.set("Clicks", {"clickId": click_id}, expiresAt="2020-01-01T00:00:00.000Z")
        assert report("Purchase").data["status"] == "completed"
        assert person.app.wallet()["balance"] == 40


def test_earnings_are_paged_newest_first_and_a_cursor_is_valid_only_for_its_user(
    person, new_person, public, new_product
):
    product = new_product(postbackAuth={"mode": "open"}, approval="auto")
    for number in range(3):
        click_id = person.app.click(product.product_id).data["clickId"]
        public.postback(click_id, amount=number + 1, transactionId=f"page-{number}")
    first = person.app.earnings(limit=2)
    assert [earning["amount"] for earning in first["earnings"]] == [3, 2]
    second = person.app.earnings(limit=2, cursor=first["nextCursor"])
    assert [earning["amount"] for earning in second["earnings"]] == [1]
    assert second["nextCursor"] is None
    for app, cursor in ((new_person().app, first["nextCursor"]), (person.app, first["nextCursor"][:-3] + "AAA")):
        answer = app.get("/api/v1/earn/earnings", cursor=cursor)
        assert (answer.status, answer.code) == (400, "INVALID_CURSOR")


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "1.5", ""])
def test_an_invalid_limit_is_refused(person, limit):
    answer = person.app.get("/api/v1/earn/earnings", limit=limit)
    assert (answer.status, answer.code) == (400, "INVALID_LIMIT")
