"""Earnings held for review: operators find them, and each is decided once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.integration.reporting import Reporter, pages, refer, subscribe
from tests.integration.rows import Rows
from tests.waiting import eventually

EARNINGS = "/api/v1/admin/earnings"


def decide(admin, earning, verb, **body):
    path = f"{EARNINGS}/{quote(earning['userId'], safe='')}/{earning['earningId']}/{verb}"
    return admin.call("POST", path, json=body)


@pytest.fixture
def manual(public, new_product):
    return Reporter(public, new_product(approval="manual"))


def waiting(admin, reporter, **query):
    return admin.get(EARNINGS, productId=reporter.product.product_id, **query).data["items"]


@pytest.fixture
def held(admin, manual, person):
    """A click whose conversion is held, and its earning as operators see it."""
    click_id = manual.click(person)
    assert manual.report(click_id, amount=40)["status"] == "pending"
    (earning,) = waiting(admin, manual)
    return click_id, earning


class TestList:
    def test_the_list_shows_who_waits_for_money_and_why(self, held, manual, person):
        click_id, earning = held
        assert (earning["userId"], earning["clickId"], earning["amount"]) == (person.user_id, click_id, 40)
        assert (earning["status"], earning["approvalStatus"]) == ("pending", "pending")
        assert (earning["reason"], earning["productId"]) == ("manual_approval", manual.product.product_id)
        assert not [name for name in earning if "hard" in name]

    def test_only_earnings_held_for_review_are_listed(self, admin, public, new_product, person):
        reporter = Reporter(public, new_product(earnUpTo=10, multipleConversions=True))
        click_ids = [reporter.click(person) for _ in range(4)]
        reporter.report(click_ids[0], amount=11)
        reporter.report(click_ids[1], amount=5, currency="EUR")
        reporter.report(click_ids[2], "Lead", amount=5)
        reporter.report(click_ids[3], amount=5)
        found = waiting(admin, reporter)
        assert [(row["clickId"], row["reason"]) for row in found] == [
            (click_ids[0], "amount_over_cap"),
            (click_ids[1], "currency_mismatch"),
        ]

    def test_the_list_is_paged_oldest_first(self, admin, manual, person):
        click_ids = [manual.click(person) for _ in range(7)]
        for click_id in click_ids:
            manual.report(click_id, amount=1)
        found = pages(lambda **query: admin.get(EARNINGS, **query), productId=manual.product.product_id, limit=3)
        assert [row["clickId"] for page in found for row in page] == click_ids
        everyone = [row["earningId"] for page in pages(lambda **q: admin.get(EARNINGS, **q), limit=5) for row in page]
        assert everyone == sorted(set(everyone))
        assert len(everyone) >= 7

    def test_a_tampered_cursor_or_one_of_another_list_is_refused(self, admin, manual, person):
        for _ in range(2):
            manual.report(manual.click(person), amount=1)
        cursor = admin.get(EARNINGS, limit=1).data["nextCursor"]
        for query in ({"cursor": cursor[:-3] + "AAA"}, {"cursor": cursor, "productId": manual.product.product_id}):
            answer = admin.get(EARNINGS, **query)
            assert (answer.status, answer.code) == (400, "INVALID_CURSOR")
        assert admin.get(EARNINGS, limit="many").code == "INVALID_LIMIT"


class TestApproval:
    def test_approval_credits_the_user_and_reaches_partners_and_the_referrer(
        self, admin, manual, new_person, partners, rows: Rows
    ):
        referrer, person = new_person(), new_person()
        refer(referrer, person)
        subscriber = subscribe(admin, partners, manual.product)
        click_id = manual.click(person)
        manual.report(click_id, amount=40)
        subscriber.receives(click_id, "Lead")
        (earning,) = waiting(admin, manual)

        data = decide(admin, earning, "approve", reason="checked by hand").data
        assert (data["status"], data["approvalStatus"], data["amount"]) == ("completed", "manual_approved", 40)
        assert "reason" not in data
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["pending"], wallet["lifetime"]) == (40, 0, 40)
        (own,) = person.app.earnings()["earnings"]
        assert (own["status"], own["approvalStatus"], own["creditedAt"]) == (
            *("completed", "manual_approved"),
            data["creditedAt"],
        )
        assert person.app.get(f"/api/v1/earn/clicks/{click_id}").data["status"] == "converted"
        subscriber.receives(click_id, "Lead", "Purchase")
        eventually(lambda: referrer.app.wallet()["balance"] == 4, "the commission")
        assert waiting(admin, manual) == []
        (conversion,) = rows.conversions(click_id)
        operator = rows.receipts(click_id)[-1]
        assert conversion["changedBy"].startswith("operator:")
        assert (operator.source, operator.outcome, operator.detail) == (
            *(conversion["changedBy"], "credited"),
            "checked by hand",
        )

    def test_an_amount_above_the_products_maximum_can_be_approved(self, admin, public, new_product, person):
        reporter = Reporter(public, new_product(earnUpTo=10))
        reporter.report(reporter.click(person), amount=11)
        (earning,) = waiting(admin, reporter)
        assert decide(admin, earning, "approve").data["status"] == "completed"
        assert person.app.wallet()["balance"] == 11

    def test_a_repeated_report_is_answered_with_the_decision(self, admin, manual, held, person):
        click_id, earning = held
        decide(admin, earning, "approve")
        again = manual.report(click_id, amount=40)
        assert (again["status"], again["duplicate"]) == ("completed", True)
        assert person.app.wallet()["balance"] == 40

    def test_a_user_id_may_contain_any_characters(self, admin):
        network = admin.create("networks", name="names users", creditBy="user").data
        user_id = "auth0|ann b+c@example.com"
        # Without a product, it is the currency that holds the money.
        sent = {"user_id": user_id, "payout": "3", "txid": network["networkId"], "currency": "EUR"}
        admin.network_postback(network["uniqueKey"], params=sent)
        (earning,) = [
            row for page in pages(lambda **q: admin.get(EARNINGS, **q)) for row in page if row["userId"] == user_id
        ]
        assert earning["reason"] == "currency_mismatch"
        assert decide(admin, earning, "approve").data["status"] == "completed"


class TestRejection:
    def test_rejection_removes_the_pending_money_and_reaches_partners(self, admin, manual, person, partners):
        subscriber = subscribe(admin, partners, manual.product)
        click_id = manual.click(person)
        manual.report(click_id, amount=40)
        (earning,) = waiting(admin, manual)
        data = decide(admin, earning, "reject", reason="the account is a test").data
        assert (data["status"], data["approvalStatus"], data["amount"]) == ("cancelled", "rejected", 40)
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["pending"], wallet["lifetime"]) == (0, 0, 0)
        assert person.app.get(f"/api/v1/earn/clicks/{click_id}").data["status"] == "rejected"
        subscriber.receives(click_id, "Lead", "Reject")
        assert waiting(admin, manual) == []

    def test_a_repeated_report_does_not_restore_rejected_money(self, admin, manual, held, person):
        click_id, earning = held
        decide(admin, earning, "reject", reason="no")
        assert manual.report(click_id, amount=40)["status"] == "cancelled"
        assert person.app.wallet()["balance"] == 0


class TestRefusals:
    @pytest.mark.parametrize("first", ["approve", "reject"])
    @pytest.mark.parametrize("second", ["approve", "reject"])
    def test_a_decision_is_final(self, admin, held, person, first, second):
        _, earning = held
        assert decide(admin, earning, first, reason="once").status == 200
        balance = person.app.wallet()["balance"]
        answer = decide(admin, earning, second, reason="twice")
        assert (answer.status, answer.code) == (409, "EARNING_NOT_WAITING")
        assert person.app.wallet()["balance"] == balance

    def test_ten_operators_deciding_at_once_make_one_decision(self, admin, held, person):
        _, earning = held
        verbs = ["approve", "reject"] * 5
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda verb: decide(admin, earning, verb, reason="concurrently"), verbs))
        assert sorted({answer.status for answer in answers}) == [200, 409]
        (decided,) = [answer for answer in answers if answer.status == 200]
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["pending"]) == (40 if decided.data["status"] == "completed" else 0, 0)

    def test_an_unknown_earning_is_not_found(self, admin, held):
        _, earning = held
        for other in ({"earningId": "EARN-0"}, {"userId": "nobody"}):
            answer = decide(admin, earning | other, "approve")
            assert (answer.status, answer.code) == (404, "EARNING_NOT_FOUND")

    def test_a_commission_cannot_be_approved(self, admin, public, new_product, new_person):
        referrer, person = new_person(), new_person()
        refer(referrer, person)
        reporter = Reporter(public, new_product())
        reporter.report(reporter.click(person), amount=40)
        eventually(lambda: referrer.app.wallet()["balance"], "the commission")
        (commission,) = referrer.app.earnings()["earnings"]
        answer = decide(admin, commission | {"userId": referrer.user_id}, "approve")
        assert (answer.status, answer.code) == (409, "EARNING_NOT_WAITING")

    @pytest.mark.parametrize(
        ("verb", "body"),
        [("reject", {}), ("reject", {"reason": ""}), ("reject", {"reason": " "}), ("approve", {"reason": 5})],
    )
    def test_the_error_names_a_missing_or_invalid_reason(self, admin, held, person, verb, body):
        _, earning = held
        answer = decide(admin, earning, verb, **body)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert answer.body["error"]["details"][0].startswith("reason:")
        assert person.app.wallet()["pending"] == 40

    def test_users_are_forbidden(self, held, person):
        _, earning = held
        answers = [person.app.get(EARNINGS), *(decide(person.app, earning, verb) for verb in ("approve", "reject"))]
        assert {(answer.status, answer.code) for answer in answers} == {(403, "FORBIDDEN")}
        assert person.app.wallet()["balance"] == 0
