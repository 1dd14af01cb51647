"""Hold days defer the credit and nothing else; caps hold conversions that are too many or too soon."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.client import Client
from ricochet.dynamodb.wire import to_wire
from ricochet.ledger.credit_held_earnings import CreditHeldEarnings
from ricochet.ledger.earnings_table import EarningsTable
from ricochet.ledger.transaction import Ledger, LedgerTables
from ricochet.values import times
from tests.integration.functions import invoke, unscheduled
from tests.integration.reporting import Reporter, refer, subscribe
from tests.integration.rows import Rows
from tests.waiting import eventually

LONG_AGO = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def reporter(public, new_product):
    return Reporter(public, new_product(holdDays=7))


@pytest.fixture
def owed(reporter, person):
    click_id = reporter.click(person)
    return click_id, reporter.report(click_id, amount=40)


@pytest.fixture
def credit_due(stack):
    """Run the scheduled function; return its answer."""
    return lambda _=None: invoke(stack, "CreditHeldEarnings")


def make_due(rows: Rows, click_id: str) -> None:
    """End the hold days of the click's conversions, in both rows."""
    for conversion in rows.conversions(click_id):
        key = {name: conversion[name] for name in ("userId", "earningId")}
        rows.set("Earnings", key, creditAfter=LONG_AGO)
        rows.set("Conversions", {"conversionId": conversion["conversionId"]}, creditAfter=LONG_AGO)


def money(person):
    wallet = person.app.wallet()
    return wallet["balance"], wallet["pending"], wallet["lifetime"]


class TestHoldDays:
    def test_money_is_held_but_partners_receive_the_purchase_at_once(self, admin, reporter, person, partners):
        subscriber = subscribe(admin, partners, reporter.product)
        click_id = reporter.click(person)
        assert reporter.report(click_id, amount=40)["status"] == "completed"
        assert money(person) == (0, 40, 0)
        (earning,) = person.app.earnings()["earnings"]
        assert (earning["status"], earning["approvalStatus"], earning["reason"]) == (
            *("pending", "auto_approved"),
            "hold_days",
        )
        assert earning["creditAfter"] == times.plus(earning["earnedAt"], days=7)
        assert person.app.get(f"/api/v1/earn/clicks/{click_id}").data["status"] == "converted"
        subscriber.receives(click_id, "Purchase")

    def test_an_earning_that_is_not_due_is_not_credited(self, owed, credit_due, person):
        credit_due()
        assert money(person) == (0, 40, 0)

    def test_due_earnings_are_credited_once_however_often_the_schedule_runs(
        self, admin, reporter, new_person, partners, rows: Rows, credit_due
    ):
        referrer, person = new_person(), new_person()
        refer(referrer, person)
        subscriber = subscribe(admin, partners, reporter.product)
        click_ids = [reporter.click(person) for _ in range(5)]
        for click_id in click_ids:
            reporter.report(click_id, amount=40)
            make_due(rows, click_id)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(credit_due, range(4)))
        eventually(lambda: money(person) == (200, 0, 200), "the credit")
        credit_due()
        assert money(person) == (200, 0, 200)
        earnings = person.app.earnings()["earnings"]
        assert {(row["status"], row["amount"]) for row in earnings} == {("completed", 40)}
        assert all(row["creditedAt"] > row["earnedAt"] and "creditAfter" not in row for row in earnings)
        eventually(lambda: referrer.app.wallet()["balance"] == 20, "the commissions")
        for click_id in click_ids:
            (conversion,) = rows.conversions(click_id)
            assert (conversion["credited"], conversion["version"], conversion["status"]) == (40, 1, "approved")
            subscriber.receives(click_id, "Purchase")

    def test_one_run_credits_more_than_one_page(self, stack, reporter, person, rows: Rows, monkeypatch):
        monkeypatch.setattr("ricochet.ledger.earnings_table.PAGE", 2)
        for _ in range(12):
            click_id = reporter.click(person)
            reporter.report(click_id, amount=1)
            make_due(rows, click_id)
        client, table = stack.aws.dynamodb, stack.table
        names = LedgerTables(conversions=table("Conversions"), earnings=table("Earnings"), wallets=table("Wallets"))
        run = CreditHeldEarnings(EarningsTable(client, names.earnings), Ledger(client, names))
        assert not run(lambda: True).failed
        eventually(lambda: money(person) == (12, 0, 12), "all credits")  # some may be of a scheduled run

    def test_a_reversal_during_the_hold_leaves_nothing_to_credit(self, owed, reporter, person, rows: Rows, credit_due):
        click_id, _ = owed
        assert reporter.report(click_id, "Refund")["status"] == "cancelled"
        assert money(person) == (0, 0, 0)
        (earning,) = person.app.earnings()["earnings"]
        assert (earning["status"], earning["amount"], earning["type"]) == ("cancelled", 40, "conversion")
        rows.set("Earnings", {"userId": person.user_id, "earningId": earning["earningId"]}, creditAfter=LONG_AGO)
        credit_due()
        assert money(person) == (0, 0, 0)

    def test_concurrent_reversals_and_credits_agree(self, reporter, person, rows: Rows, credit_due):
        click_ids = [reporter.click(person) for _ in range(6)]
        for click_id in click_ids:
            reporter.report(click_id, amount=40)
            make_due(rows, click_id)
        with ThreadPoolExecutor(8) as pool:
            runs = [pool.submit(credit_due) for _ in range(2)]
            refunds = [pool.submit(reporter.report, click_id, "Refund") for click_id in click_ids]
        assert all(run.result() for run in runs)
        assert all(refund.result() for refund in refunds)
        balance, pending, _ = eventually(lambda: (m := money(person))[:2] == (0, 0) and m, "the refunds")
        rows_of_user = person.app.earnings()["earnings"]
        assert balance == sum(row["amount"] for row in rows_of_user if row["status"] == "completed")
        assert pending == sum(row["amount"] for row in rows_of_user if row["status"] == "pending")

    def test_a_partial_refund_during_the_hold_leaves_the_rest_to_credit(
        self, owed, reporter, person, rows: Rows, credit_due
    ):
        click_id, _ = owed
        reporter.report(click_id, "Refund", amount=15)
        assert money(person) == (0, 25, 0)
        make_due(rows, click_id)
        credit_due()
        assert money(person) == (25, 0, 25)

    def test_an_operator_can_credit_or_reject_during_the_hold(self, admin, reporter, person):
        for verb, left in (("approve", (40, 0, 40)), ("reject", (40, 0, 40))):
            reporter.report(reporter.click(person), amount=40)
            (earning,) = admin.get("/api/v1/admin/earnings", productId=reporter.product.product_id).data["items"]
            assert earning["reason"] == "hold_days"
            path = f"/api/v1/admin/earnings/{person.user_id}/{earning['earningId']}/{verb}"
            assert admin.call("POST", path, json={"reason": "known"}).status == 200
            assert money(person) == left

    def test_an_earning_that_cannot_be_credited_is_reported_and_does_not_block_others(
        self, stack, owed, person, rows: Rows, credit_due
    ):
        click_id, _ = owed
        orphans = [
            {
                "userId": "orphan",
                "earningId": f"EARN-{number}",
                "conversionId": "CONV-NONE",
                "creditShard": f"credit#{number}",
                "creditAfter": LONG_AGO,
            }
            for number in range(4)
        ]
        table = stack.table("Earnings")
        for orphan in orphans:
            stack.aws.dynamodb.put_item(TableName=table, Item=to_wire(orphan))
        try:
            with unscheduled(stack, "CreditHeldEarnings"):
                make_due(rows, click_id)
                answer = credit_due()
        finally:
            for orphan in orphans:
                key = {name: orphan[name] for name in ("userId", "earningId")}
                stack.aws.dynamodb.delete_item(TableName=table, Key=to_wire(key))
        assert (answer["credited"], answer["failed"]) == (1, 4)
        assert money(person) == (40, 0, 40)


class TestCaps:
    @pytest.mark.parametrize(
        ("cap", "reason"),
        [
            ("perUser", "over_user_cap"),
            ("perUserPerDay", "over_user_daily_cap"),
            ("perDay", "over_daily_cap"),
        ],
    )
    def test_concurrent_conversions_are_credited_up_to_the_cap_and_the_rest_is_held(
        self, admin, stack, new_product, person, rows: Rows, cap, reason
    ):
        product = new_product(caps={cap: 3})
        click_ids = [person.app.click(product.product_id).data["clickId"] for _ in range(8)]

        def report(click_id):
            return Client(stack.api_url).postback(click_id, token=product.token, amount=1).status

        with ThreadPoolExecutor(8) as pool:
            statuses = set(pool.map(report, click_ids))
        assert statuses <= {200, 202}
        eventually(lambda: sum(money(person)[:2]) == 8, "the last conversion")
        assert money(person) == (3, 5, 3)
        conversions = [row for click_id in click_ids for row in rows.conversions(click_id)]
        assert Counter(row.get("holdReason") for row in conversions) == {None: 3, reason: 5}
        waiting = admin.get("/api/v1/admin/earnings", productId=product.product_id).data["items"]
        assert {row["reason"] for row in waiting} == {reason}
        (counter,) = [row for row in rows.scan("Counters") if product.product_id in row["counterId"]]
        assert counter["counted"] == 3

    def test_users_do_not_share_a_cap(self, public, new_product, new_person):
        reporter = Reporter(public, new_product(caps={"perUser": 1}))
        for person in (new_person(), new_person()):
            assert reporter.report(reporter.click(person), amount=1)["status"] == "completed"
            assert reporter.report(reporter.click(person), amount=1)["status"] == "pending"

    def test_a_repeated_report_does_not_count(self, public, new_product, person):
        reporter = Reporter(public, new_product(caps={"perUser": 2}))
        click_id = reporter.click(person)
        assert [reporter.report(click_id, amount=1).get("duplicate") for _ in range(3)] == [None, True, True]
        assert reporter.report(reporter.click(person), amount=1)["status"] == "completed"

    def test_a_conversion_too_soon_after_its_click_is_held(self, admin, public, new_product, person, rows: Rows):
        reporter = Reporter(public, new_product(caps={"minSeconds": 3600}))
        click_id = reporter.click(person)
        assert reporter.report(click_id, amount=1)["status"] == "pending"
        (earning,) = admin.get("/api/v1/admin/earnings", productId=reporter.product.product_id).data["items"]
        assert earning["reason"] == "too_fast"
        later = reporter.click(person)
        rows.set("Clicks", {"clickId": later}, createdAt=LONG_AGO)
        assert reporter.report(later, amount=1)["status"] == "completed"

    def test_a_lead_that_an_operator_approves_counts_towards_the_cap(
        self, admin, public, new_product, person, rows: Rows
    ):
        reporter = Reporter(public, new_product(caps={"perUser": 1}))
        click_id = reporter.click(person)
        assert reporter.report(click_id, "Lead", amount=1)["status"] == "pending"
        (conversion,) = rows.conversions(click_id)
        path = f"/api/v1/admin/conversions/{conversion['conversionId']}/status"
        assert admin.call("POST", path, json={"status": "approved", "reason": "known"}).status == 200
        assert money(person) == (1, 0, 1)
        assert reporter.report(reporter.click(person), amount=1)["status"] == "pending"

    def test_an_operator_can_approve_beyond_the_cap_and_that_counts_too(self, admin, public, new_product, person):
        reporter = Reporter(public, new_product(caps={"perUser": 1}))
        for _ in range(2):
            reporter.report(reporter.click(person), amount=1)
        (earning,) = admin.get("/api/v1/admin/earnings", productId=reporter.product.product_id).data["items"]
        path = f"/api/v1/admin/earnings/{person.user_id}/{earning['earningId']}/approve"
        assert admin.call("POST", path).data["status"] == "completed"
        assert money(person) == (2, 0, 2)
        assert reporter.report(reporter.click(person), amount=1)["status"] == "pending"
