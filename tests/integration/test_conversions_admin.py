"""Operators list conversions by day, look at one, and correct its status."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tests.integration.reporting import Reporter, pages, refer, subscribe
from tests.integration.rows import Rows
from tests.waiting import eventually

CONVERSIONS = "/api/v1/admin/conversions"


def today() -> str:
    return datetime.now(UTC).date().isoformat()


@pytest.fixture
def reporter(public, new_product):
    return Reporter(public, new_product())


@pytest.fixture
def reported(reporter, person, rows: Rows):
    """Report a conversion of 40 with a status; return the ids of its click and itself."""

    def report(status: str) -> tuple[str, str]:
        click_id = reporter.click(person)
        reporter.report(click_id, status, amount=40)
        (conversion,) = rows.conversions(click_id)
        return click_id, conversion["conversionId"]

    return report


def correct(admin, conversion_id, status, reason="a mistake"):
    return admin.call("POST", f"{CONVERSIONS}/{conversion_id}/status", json={"status": status, "reason": reason})


class TestList:
    def test_a_day_is_listed_page_by_page_newest_first_without_duplicates(self, admin, reported):
        ids = [reported(status)[1] for status in ("Lead", "Purchase", "Purchase", "Trash", "Purchase", "Reject")]
        found = [row for page in pages(lambda **q: admin.get(CONVERSIONS, **q), day=today(), limit=4) for row in page]
        assert all(one["updatedAt"] >= other["updatedAt"] for one, other in pairwise(found))
        listed = [row["conversionId"] for row in found]
        assert len(listed) == len(set(listed))
        assert [one for one in listed if one in ids] == ids[::-1]

    def test_the_list_can_be_filtered_by_status(self, admin, reported):
        ids = {status: reported(status)[1] for status in ("Lead", "Purchase", "Trash")}
        found = [
            row
            for page in pages(lambda **q: admin.get(CONVERSIONS, **q), day=today(), status="trash", limit=2)
            for row in page
        ]
        assert {row["status"] for row in found} == {"trash"}
        assert ids["Trash"] in {row["conversionId"] for row in found}

    def test_a_conversion_is_listed_under_the_day_of_its_last_change(self, admin, reported, rows: Rows):
        _, conversion_id = reported("Purchase")
        (row,) = rows.find("Conversions", conversionId=conversion_id)
        assert row["dayShard"].startswith(f"{today()}#")
        before = admin.get(f"{CONVERSIONS}/{conversion_id}").data["updatedAt"]
        correct(admin, conversion_id, "reversed")
        found = [row for page in pages(lambda **q: admin.get(CONVERSIONS, **q), day=today()) for row in page]
        (listed,) = [row for row in found if row["conversionId"] == conversion_id]
        assert (listed["status"], listed["updatedAt"] > before) == ("reversed", True)

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ({}, "day"),
            ({"day": "yesterday"}, "day"),
            ({"day": "2026-13-01"}, "day"),
            ({"day": "2026-11-21", "status": "Purchase"}, "status"),
        ],
    )
    def test_an_invalid_query_is_refused(self, admin, query, named):
        answer = admin.get(CONVERSIONS, **query)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert answer.body["error"]["details"][0].startswith(f"{named}:")

    def test_a_tampered_cursor_or_one_of_another_day_is_refused(self, admin, reported):
        for _ in range(2):
            reported("Purchase")
        cursor = admin.get(CONVERSIONS, day=today(), limit=1).data["nextCursor"]
        for query in ({"day": today(), "cursor": cursor[:-3] + "AAA"}, {"day": "2020-01-01", "cursor": cursor}):
            answer = admin.get(CONVERSIONS, **query)
            assert (answer.status, answer.code) == (400, "INVALID_CURSOR")

    def test_a_day_without_conversions_is_empty(self, admin):
        assert admin.get(CONVERSIONS, day="2020-01-01").data == {"items": [], "nextCursor": None}


class TestDetails:
    def test_a_conversion_shows_its_versions_and_earnings(self, admin, reporter, person, reported):
        click_id, conversion_id = reported("Lead")
        reporter.report(click_id, "Purchase", amount=30)
        reporter.report(click_id, "Refund", amount=10)
        shown = admin.get(f"{CONVERSIONS}/{conversion_id}").data
        assert (shown["status"], shown["version"], shown["amount"], shown["credited"]) == ("approved", 2, 30, 20)
        assert (shown["userId"], shown["clickId"]) == (person.user_id, click_id)
        (lead,) = shown["versions"]
        assert (lead["version"], lead["status"], lead["sourceStatus"], lead["amount"]) == (1, "pending", "Lead", 40)
        assert [(row["type"], row["amount"], row["status"]) for row in shown["earnings"]] == [
            ("conversion", 30, "completed"),
            ("reversal", -10, "completed"),
        ]
        assert {"dayShard", "reports"}.isdisjoint(shown)

    def test_an_unknown_conversion_is_not_found(self, admin):
        for answer in (admin.get(f"{CONVERSIONS}/CONV-0"), correct(admin, "CONV-0", "approved")):
            assert (answer.status, answer.code) == (404, "CONVERSION_NOT_FOUND")

    def test_users_are_forbidden(self, person, reported):
        _, conversion_id = reported("Purchase")
        answers = [
            person.app.get(CONVERSIONS, day=today()),
            person.app.get(f"{CONVERSIONS}/{conversion_id}"),
            correct(person.app, conversion_id, "reversed"),
        ]
        assert {(answer.status, answer.code) for answer in answers} == {(403, "FORBIDDEN")}
        assert person.app.wallet()["balance"] == 40


class TestCorrections:
    @pytest.mark.parametrize(
        ("reported_status", "wanted", "balance", "click"),
        [
            ("Lead", "approved", 40, "converted"),
            ("Lead", "rejected", 0, "rejected"),
            ("Lead", "trash", 0, "rejected"),
            ("Reject", "approved", 40, "converted"),
            ("Trash", "approved", 40, "converted"),
            ("Purchase", "reversed", 0, "converted"),
        ],
    )
    def test_an_allowed_correction_is_applied(self, admin, reported, person, reported_status, wanted, balance, click):
        click_id, conversion_id = reported(reported_status)
        shown = correct(admin, conversion_id, wanted).data
        assert (shown["status"], shown["version"], shown["credited"]) == (wanted, 2, balance)
        assert (shown["sourceStatus"], shown["versions"][0]["version"]) == (reported_status, 1)
        assert shown["changedBy"].startswith("operator:")
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["pending"]) == (balance, 0)
        assert wallet["balance"] == sum(row["amount"] for row in shown["earnings"] if row["status"] == "completed")
        assert person.app.get(f"/api/v1/earn/clicks/{click_id}").data["status"] == click

    @pytest.mark.parametrize(
        ("reported_status", "wanted"),
        [
            *(("Lead", wanted) for wanted in ("pending", "reversed")),
            *(("Purchase", wanted) for wanted in ("pending", "approved", "rejected", "trash")),
            *(("Trash", wanted) for wanted in ("pending", "trash", "rejected", "reversed")),
        ],
    )
    def test_any_other_correction_is_refused_with_the_current_status(
        self, admin, reported, person, reported_status, wanted
    ):
        _, conversion_id = reported(reported_status)
        before = person.app.wallet()
        answer = correct(admin, conversion_id, wanted)
        assert (answer.status, answer.code) == (409, "STATUS_NOT_POSSIBLE")
        assert answer.body["message"].endswith(f"cannot become {wanted}")
        assert person.app.wallet() == before

    @pytest.mark.parametrize(
        ("body", "named"),
        [
            ({}, "status"),
            ({"status": "Purchase", "reason": "x"}, "status"),
            ({"status": "reversed"}, "reason"),
            ({"status": "reversed", "reason": ""}, "reason"),
        ],
    )
    def test_the_error_names_the_invalid_field(self, admin, reported, person, body, named):
        _, conversion_id = reported("Purchase")
        answer = admin.call("POST", f"{CONVERSIONS}/{conversion_id}/status", json=body)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert answer.body["error"]["details"][0].startswith(f"{named}:")
        assert person.app.wallet()["balance"] == 40

    def test_a_correction_reaches_partners_and_the_referrer(self, admin, reporter, new_person, partners, rows: Rows):
        referrer, person = new_person(), new_person()
        refer(referrer, person)
        subscriber = subscribe(admin, partners, reporter.product)
        click_id = reporter.click(person)
        reporter.report(click_id, "Trash", amount=40)
        (row,) = rows.conversions(click_id)
        correct(admin, row["conversionId"], "approved")
        eventually(lambda: referrer.app.wallet()["balance"] == 4, "the commission")
        correct(admin, row["conversionId"], "reversed")
        eventually(lambda: referrer.app.wallet()["balance"] == 0, "the reversal of the commission")
        subscriber.receives(click_id, "Trash", "Purchase", "Reject")

    def test_a_correction_leaves_a_receipt_that_cannot_be_replayed(self, admin, reported):
        click_id, conversion_id = reported("Purchase")
        correct(admin, conversion_id, "reversed", "charged back by phone")
        shown = eventually(
            lambda: admin.get("/api/v1/admin/receipts", clickId=click_id, outcome="reversed").data["items"],
            "the receipt",
        )
        (receipt,) = shown
        assert receipt["source"] == admin.get(f"{CONVERSIONS}/{conversion_id}").data["changedBy"]
        assert receipt["detail"] == "charged back by phone"
        query = {"operatorId": receipt["source"].removeprefix("operator:"), "day": receipt["receivedAt"][:10]}
        (newest, *_) = admin.get("/api/v1/admin/receipts", **query).data["items"]
        assert newest["receiptId"] == receipt["receiptId"]
        answer = admin.call("POST", f"/api/v1/admin/receipts/{receipt['receiptId']}/replay")
        assert (answer.status, answer.code) == (409, "RECEIPT_NOT_REPLAYABLE")
        assert admin.get(f"/api/v1/admin/receipts/{receipt['receiptId']}").data["outcome"] == "reversed"

    def test_an_operator_cannot_pay_a_converted_click_again(self, admin, public, new_product, person, rows: Rows):
        product = new_product()
        click_id = person.app.click(product.product_id).data["clickId"]
        for transaction in ("a", "b"):
            public.postback(click_id, token=product.token, status="Lead", transactionId=transaction, amount=40)
        public.postback(click_id, token=product.token, status="Purchase", transactionId="b", amount=40)
        (lead,) = [row for row in rows.conversions(click_id) if row["transactionId"] == "a"]
        answer = correct(admin, lead["conversionId"], "approved")
        assert (answer.status, answer.code) == (409, "CLICK_ALREADY_CONVERTED")
        assert person.app.wallet()["balance"] == 40

    def test_a_conversion_without_a_user_can_be_corrected(self, admin, public, rows: Rows):
        network = admin.create("networks", name="without users", creditBy="none").data
        public.network_postback(network["uniqueKey"], params={"click_id": "theirs", "payout": "3", "txid": "t"})
        (row,) = rows.find("Conversions", networkId=network["networkId"])
        shown = correct(admin, row["conversionId"], "reversed").data
        assert (shown["status"], shown["earnings"]) == ("reversed", [])
