"""Referrers earn a commission, and lose it when the conversion is reversed."""

from __future__ import annotations

import pytest

from ricochet.dynamodb.wire import to_wire
from tests.integration.functions import invoke
from tests.integration.rows import Rows
from tests.waiting import eventually


def refer(referrer, referred):
    code = referrer.app.get("/api/v1/earn/referrer").data["referralCode"]
    return eventually(
        lambda: (
            (a := referred.app.call("PUT", "/api/v1/earn/referrer", json={"referralCode": code})).status != 404 and a
        ),
        "the referral code",
    )


@pytest.fixture
def pair(new_person):
    referrer, referred = new_person(), new_person()
    assert refer(referrer, referred).status == 200
    return referrer, referred


def convert(public, person, product, status="Purchase", **fields):
    click_id = person.app.click(product.product_id).data["clickId"]
    return (
        click_id,
        lambda status, **more: (
            public.postback(click_id, token=product.token, status=status, transactionId=f"t-{click_id}", **more).data
        ),
    )


def test_the_referrer_gets_ten_percent(pair, public, new_product):
    referrer, referred = pair
    _, report = convert(public, referred, new_product())
    report("Purchase", amount=40)
    eventually(lambda: referrer.app.wallet()["balance"] == 4, "the commission")
    (earning,) = referrer.app.earnings()["earnings"]
    assert (earning["type"], earning["amount"], earning["status"]) == ("referral", 4, "completed")
    assert earning["clickId"] is None
    assert referred.app.wallet()["balance"] == 40


def test_a_product_can_have_its_own_referral_rate(pair, public, new_product):
    referrer, referred = pair
    _, report = convert(public, referred, new_product(referralRate="0.25"))
    report("Purchase", amount=40)
    eventually(lambda: referrer.app.wallet()["balance"] == 10, "the commission")


def test_a_refund_reverses_the_commission(pair, public, new_product):
    referrer, referred = pair
    _, report = convert(public, referred, new_product())
    report("Purchase", amount=33.333333)
    eventually(lambda: referrer.app.wallet()["balance"] == 3.333333, "the commission")
    report("Refund")
    eventually(lambda: referrer.app.wallet()["balance"] == 0, "the reversal of the commission")
    assert [e["amount"] for e in referrer.app.earnings()["earnings"]] == [-3.333333, 3.333333]


def test_there_is_no_commission_until_the_conversion_is_credited(pair, public, new_product):
    referrer, referred = pair
    _, report = convert(public, referred, new_product())
    report("Lead", amount=40)
    _, credited = convert(public, referred, new_product())
    credited("Purchase", amount=10)
    eventually(lambda: referrer.app.wallet()["balance"] == 1, "the other commission")
    report("Purchase", amount=40)
    eventually(lambda: referrer.app.wallet()["balance"] == 5, "the commission of the credited lead")


def test_a_referrer_set_after_the_credit_loses_nothing_by_its_refund(new_person, public, new_product):
    referrer, referred = new_person(), new_person()
    _, early = convert(public, referred, new_product())
    early("Purchase", amount=40)
    assert refer(referrer, referred).status == 200
    early("Refund")
    _, later = convert(public, referred, new_product())
    later("Purchase", amount=10)
    eventually(lambda: referrer.app.wallet()["balance"] == 1, "the commission of the later conversion")
    assert [e["amount"] for e in referrer.app.earnings()["earnings"]] == [1]


def test_a_repeated_stream_record_credits_once(pair, public, new_product, stack, rows: Rows):
    referrer, referred = pair
    click_id, report = convert(public, referred, new_product())
    report("Purchase", amount=40)
    eventually(lambda: referrer.app.wallet()["balance"] == 4, "the commission")
    (conversion,) = rows.conversions(click_id)
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": to_wire(conversion)}}
    for _ in range(3):
        invoke(stack, "CreditReferrals", Records=[record])
    assert referrer.app.wallet()["balance"] == 4


class TestRules:
    def put(self, person, **body):
        return person.app.call("PUT", "/api/v1/earn/referrer", json=body)

    def test_users_cannot_refer_themselves(self, person):
        code = person.app.get("/api/v1/earn/referrer").data["referralCode"]
        for body in ({"referralCode": code}, {"referrerId": person.user_id}):
            answer = self.put(person, **body)
            assert (answer.status, answer.code) == (400, "REFERRER_IS_SELF")

    def test_a_referrer_is_set_once_and_repeating_it_is_accepted(self, pair, new_person):
        referrer, referred = pair
        assert self.put(referred, referrerId=referrer.user_id).data == {"referrerId": referrer.user_id}
        answer = self.put(referred, referrerId=new_person().user_id)
        assert (answer.status, answer.code) == (409, "REFERRER_ALREADY_SET")

    def test_two_users_cannot_refer_each_other(self, pair):
        referrer, referred = pair
        answer = self.put(referrer, referrerId=referred.user_id)
        assert (answer.status, answer.code) == (409, "REFERRER_CYCLE")

    def test_an_unknown_referral_code_is_not_found(self, person):
        answer = self.put(person, referralCode="NOBODYHASIT0")
        assert (answer.status, answer.code) == (404, "REFERRER_NOT_FOUND")

    @pytest.mark.parametrize("body", [{}, {"referralCode": ""}, {"referralCode": 5}, {"referrerId": ["x"]}])
    def test_a_body_without_a_referrer_is_refused(self, person, body):
        answer = self.put(person, **body)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
