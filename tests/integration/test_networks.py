"""Networks post conversions in their own formats, and get the answers that they expect."""

from __future__ import annotations

import dataclasses
import itertools
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from standardwebhooks import Webhook

from ricochet.intake import presets
from ricochet.ledger.receipt import Receipt, source_day
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.values import ids, times
from tests.integration.functions import invoke
from tests.integration.network_requests import NETWORKS, Conversion, Network, Request, sealed
from tests.integration.rows import Rows
from tests.waiting import eventually

numbers = itertools.count(1)
by_name = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.preset)


def those_that(condition):
    chosen = [network for network in NETWORKS if condition(network)]
    return pytest.mark.parametrize("network", chosen, ids=lambda network: network.preset)


class Posting:
    """A network that has been created, and how it posts."""

    def __init__(self, public, data, network: Network | None = None) -> None:
        self.public = public
        self.data = data
        self.key = data["uniqueKey"]
        self.secret = data.get("secret", "")
        self.network = network

    def send(self, request: Request):
        more = {"data": request.body} if request.body is not None else {}
        return self.public.network_postback(self.key, params=request.query, headers=request.headers, **more)

    def post(self, conversion: Conversion, secret: str | None = None):
        assert self.network is not None
        url = f"{self.public.api_url}/postback/{self.key}"
        return self.send(self.network.build(conversion, self.secret if secret is None else secret, url))


@pytest.fixture(scope="session")
def new_network(admin, public):
    def make(preset: str, network: Network | None = None, **fields) -> Posting:
        given = {"name": preset, "preset": preset} | (network.fields if network else {}) | fields
        return Posting(public, admin.create("networks", **given).data, network)

    return make


@pytest.fixture(scope="session")
def postings(new_network):
    """One network of each preset, shared by all tests."""
    return {network.preset: new_network(network.preset, network) for network in NETWORKS}


@pytest.fixture
def clicked(person, new_product):
    return person, person.app.click(new_product().product_id, subid="s-1").data["clickId"]


def transaction() -> str:
    return f"TX{next(numbers):06d}"


def is_accepted(answer, network: Network) -> bool:
    if network.accepted is None:
        return answer.status == 200 and answer.body["success"] is True
    expected = json.loads(network.accepted) if network.accepted == "1" else network.accepted
    return (answer.status, answer.body) == (200, expected)


def test_every_preset_is_tested():
    assert sorted(network.preset for network in NETWORKS) == presets.names()


class TestEveryPreset:
    @by_name
    def test_a_conversion_is_credited(self, network, postings, clicked, rows: Rows):
        person, click_id = clicked
        conversion = Conversion(click_id, transaction())
        assert is_accepted(postings[network.preset].post(conversion), network)
        assert person.app.wallet()["balance"] == 5
        (receipt,) = rows.receipts(click_id)
        assert receipt.outcome == "credited"

    @those_that(lambda network: network.is_signed)
    def test_a_wrong_signature_credits_nobody(self, network, postings, clicked):
        person, click_id = clicked
        answer = postings[network.preset].post(Conversion(click_id, transaction()), secret="WRONGSECRET12345")
        assert answer.status == (400 if network.preset == "clickbank" else 403)
        assert person.app.wallet()["balance"] == 0

    @by_name
    def test_a_repeat_is_acknowledged_and_credits_nothing_more(self, network, postings, clicked):
        person, click_id = clicked
        conversion = Conversion(click_id, transaction())
        postings[network.preset].post(conversion)
        again = postings[network.preset].post(conversion)
        expected = dataclasses.replace(network, accepted=network.duplicate) if network.duplicate else network
        assert is_accepted(again, expected)
        assert person.app.wallet()["balance"] == 5
        assert len(person.app.earnings()["earnings"]) == 1

    @those_that(lambda network: network.can_reverse)
    def test_a_reversal_takes_the_credit_back(self, network, postings, clicked):
        person, click_id = clicked
        sale = Conversion(click_id, transaction())
        back = dataclasses.replace(sale, reversal=True)
        postings[network.preset].post(sale)
        assert is_accepted(postings[network.preset].post(back), network)
        assert person.app.wallet()["balance"] == 0
        assert is_accepted(
            postings[network.preset].post(back),
            dataclasses.replace(network, accepted=network.duplicate) if network.duplicate else network,
        )
        assert [e["amount"] for e in person.app.earnings()["earnings"]] == [-5, 5]

    @by_name
    def test_an_unknown_click_is_recorded_and_credits_nobody(self, network, postings, rows: Rows):
        click_id = str(uuid.uuid4())
        assert is_accepted(postings[network.preset].post(Conversion(click_id, transaction())), network)
        (conversion,) = rows.conversions(click_id)
        assert "userId" not in conversion
        assert conversion["credited"] == 0

    @those_that(lambda network: network.preset != "clickbank")  # which has no user ids
    def test_an_offerwall_can_credit_a_user_directly(self, network, new_network, person, rows: Rows):
        posting = new_network(network.preset, network, creditBy="user", allowedCidrs=["127.0.0.0/8"])
        if network.preset == "generic":
            request = {"user_id": person.user_id, "amount": "5", "txid": transaction(), "token": posting.secret}
            posting.send(Request(request))
        else:
            posting.post(Conversion(person.user_id, transaction()))
        assert person.app.wallet()["balance"] == 5
        assert rows.conversions(person.user_id) == []  # the user is not taken for a click


class TestKeys:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_an_unknown_key_is_not_found_and_leaves_no_receipt(self, public, rows: Rows, method):
        click_id = str(uuid.uuid4())
        answer = public.call(method, "/postback/nobody-has-this-key", params={"click_id": click_id, "payout": "1"})
        assert (answer.status, answer.code) == (404, "NETWORK_NOT_FOUND")
        assert not [row for row in rows.scan("Receipts") if click_id in str(row)]

    def test_a_paused_network_is_not_found(self, new_network, admin):
        posting = new_network("generic", status="paused")
        assert posting.send(Request({"click_id": "x"})).status == 404

    def test_a_request_from_a_foreign_address_is_refused(self, new_network, clicked, rows: Rows):
        person, click_id = clicked
        posting = new_network("adgate", allowedCidrs=["203.0.113.0/24"])
        forged = {"X-Forwarded-For": "203.0.113.7"}
        answer = posting.send(Request({"s1": click_id, "conversion_id": "1", "points": "5"}, forged))
        assert answer.status == 403
        assert person.app.wallet()["balance"] == 0

    def test_the_old_key_works_beside_the_rotated_one_for_a_while(
        self, new_network, admin, clicked, person, new_product
    ):
        old = new_network("generic")
        network_id = old.data["networkId"]
        rotated = eventually(
            lambda: (a := admin.patch("networks", network_id, rotateKey=True)).status == 200 and a, "the rotation"
        ).data
        assert rotated["uniqueKey"] != old.key
        new = Posting(old.public, rotated)
        for posting in (old, new):
            click_id = person.app.click(new_product().product_id).data["clickId"]
            assert posting.send(Request({"click_id": click_id, "payout": "5", "txid": transaction()})).status == 200
        assert person.app.wallet()["balance"] == 10
        none_left = admin.patch("networks", network_id, rotateKey=True, graceHours=0).data
        assert none_left["uniqueKey"] not in (old.key, new.key)

    def test_a_key_rotated_without_grace_is_refused_by_a_process_that_never_cached_it(self, new_network, admin):
        old = new_network("generic")
        admin.patch("networks", old.data["networkId"], rotateKey=True, graceHours=0)
        assert old.send(Request({"click_id": "x"})).status == 404


@pytest.fixture(scope="session")
def plain(new_network):
    return new_network("generic")


class TestStatusesAndParameters:
    def test_a_lead_becomes_a_purchase_and_then_trash(self, plain, clicked, rows: Rows):
        person, click_id = clicked
        request = {"subid": click_id, "txid": transaction(), "sum": "20"}
        plain.send(Request(request | {"status": "Lead"}))
        assert (person.app.wallet()["balance"], person.app.wallet()["pending"]) == (0, 20)
        plain.send(Request(request | {"status": "Purchase"}))
        assert (person.app.wallet()["balance"], person.app.wallet()["pending"]) == (20, 0)
        plain.send(Request(request | {"status": "Trash"}))
        assert person.app.wallet()["balance"] == 0
        (conversion,) = rows.conversions(click_id)
        assert (conversion["status"], conversion["version"]) == ("reversed", 3)

    def test_an_unknown_status_is_acknowledged_recorded_and_credits_nothing(self, plain, clicked, rows: Rows):
        person, click_id = clicked
        answer = plain.send(Request({"click_id": click_id, "payout": "5", "status": "2"}))
        assert answer.status == 200
        assert person.app.wallet()["balance"] == 0
        conversions = rows.conversions(click_id)
        assert conversions == []
        assert {row.outcome for row in rows.receipts(click_id)} == {"unknown_status"}

    def test_operators_can_map_statuses_and_parameters(self, new_network, clicked):
        person, click_id = clicked
        posting = new_network(
            "generic", paramMap={"click_id": "ref", "amount": ["coins"]}, statusMap={"Paid Out": "approved"}
        )
        assert "ref=" in posting.data["postbackUrl"]
        request = {"ref": click_id, "coins": "7", "status": "paid out", "txid": transaction()}
        assert posting.send(Request(request)).status == 200
        assert person.app.wallet()["balance"] == 7

    def test_an_unexpanded_macro_counts_as_missing(self, plain, clicked):
        person, click_id = clicked
        request = {"click_id": click_id, "status": "{status}", "payout": "[payout]", "txid": transaction()}
        assert plain.send(Request(request)).status == 200
        assert person.app.wallet()["balance"] == 100  # what the product promised

    def test_the_user_gets_the_reward_rate_of_a_payout(self, new_network, clicked):
        person, click_id = clicked
        posting = new_network("generic", rewardRate="0.4")
        posting.send(Request({"click_id": click_id, "payout": "10", "txid": transaction()}))
        assert person.app.wallet()["balance"] == 4

    def test_another_amount_for_a_known_transaction_is_refused(self, plain, clicked, rows: Rows):
        person, click_id = clicked
        request = {"click_id": click_id, "txid": transaction()}
        plain.send(Request(request | {"payout": "5"}))
        assert plain.send(Request(request | {"payout": "50"})).status == 200
        assert person.app.wallet()["balance"] == 5
        assert rows.receipts(click_id)[-1].outcome == "conflicting_replay"

    def test_a_click_of_another_user_credits_nobody(self, plain, clicked, new_person):
        person, click_id = clicked
        plain.send(
            Request({"click_id": click_id, "user_id": new_person().user_id, "payout": "5", "txid": transaction()})
        )
        assert person.app.wallet()["balance"] == 0

    def test_a_network_can_require_a_known_click(self, new_network, rows: Rows):
        posting = new_network("generic", requireKnownClick=True)
        click_id = str(uuid.uuid4())
        assert posting.send(Request({"click_id": click_id, "payout": "5"})).status == 200
        assert rows.conversions(click_id) == []

    def test_a_rejected_conversion_is_reapproved_only_where_allowed(self, new_network, plain, person, new_product):
        for posting, balance in ((plain, 0), (new_network("generic", allowReapproval=True), 5)):
            click_id = person.app.click(new_product().product_id).data["clickId"]
            request = {"click_id": click_id, "payout": "5", "txid": transaction()}
            for status in ("lead", "rejected", "approved"):
                posting.send(Request(request | {"status": status}))
            assert person.app.wallet()["balance"] == balance

    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"[1]", 400), (b"null", 400), (b"plain text", 400), (b"\xff\xfe=1", 400), (b"x" * (256 * 1024 + 1), 413)],
    )
    def test_an_invalid_body_is_refused(self, plain, body, status):
        assert plain.send(Request({}, {"content-type": "application/json"}, body)).status == status

    @pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e309", "12,50", "1.0000000001"])
    def test_an_invalid_amount_is_refused(self, plain, clicked, amount):
        person, click_id = clicked
        answer = plain.send(Request({"click_id": click_id, "payout": amount, "txid": transaction()}))
        assert (answer.status, answer.code) == (400, "INVALID_AMOUNT")
        assert person.app.wallet()["balance"] == 0


VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())


@pytest.fixture(scope="session")
def clickbank(new_network):
    return new_network("clickbank", secret=TestClickBank.SECRET, affiliate="testaff")


class TestClickBank:
    SECRET = "RICOCHETTEST1234"

    def notice(self, click_id: str | None, kind: str = "SALE", amount: float = 40.25, **more):
        codes = [click_id.replace("-", "")] if click_id else []
        return {
            "version": 8.0,
            "transactionType": kind,
            "receipt": "R1",
            "role": "AFFILIATE",
            "affiliate": "TestAff",
            "totalAccountAmount": amount,
            "currency": "USD",
            "trackingCodes": codes,
            "attemptCount": 1,
        } | more

    def test_a_retry_with_a_higher_attempt_count_is_a_repeat(self, clickbank, clicked):
        person, click_id = clicked
        receipt = transaction()
        for attempt in (1, 2, 3):
            clickbank.send(sealed(self.notice(click_id, receipt=receipt, attemptCount=attempt), self.SECRET))
        assert person.app.wallet()["balance"] == 40.25
        assert len(person.app.earnings()["earnings"]) == 1

    def test_a_refund_before_its_sale_ends_reversed(self, clickbank, clicked, rows: Rows):
        person, click_id = clicked
        receipt = transaction()
        clickbank.send(sealed(self.notice(None, "RFND", -40.25, receipt=receipt), self.SECRET))
        clickbank.send(sealed(self.notice(click_id, receipt=receipt), self.SECRET))
        assert person.app.wallet()["balance"] == 0
        (conversion,) = rows.conversions(click_id)
        assert conversion["status"] == "reversed"
        clickbank.send(sealed(self.notice(click_id, receipt=receipt), self.SECRET))
        assert person.app.wallet()["balance"] == 0

    def test_a_refund_without_tracking_codes_finds_its_sale(self, clickbank, clicked):
        person, click_id = clicked
        receipt = transaction()
        clickbank.send(sealed(self.notice(click_id, receipt=receipt), self.SECRET))
        clickbank.send(sealed(self.notice(None, "RFND", -40.25, receipt=receipt), self.SECRET))
        assert person.app.wallet()["balance"] == 0

    def test_a_partial_refund_leaves_the_rest(self, clickbank, clicked, rows: Rows):
        person, click_id = clicked
        receipt = transaction()
        clickbank.send(sealed(self.notice(click_id, receipt=receipt), self.SECRET))
        partial = sealed(self.notice(click_id, "RFND", -10.25, receipt=receipt), self.SECRET)
        clickbank.send(partial)
        assert person.app.wallet()["balance"] == 30
        clickbank.send(sealed(self.notice(click_id, "RFND", -10.25, receipt=receipt, attemptCount=2), self.SECRET))
        assert person.app.wallet()["balance"] == 30
        (conversion,) = rows.conversions(click_id)
        assert (conversion["status"], conversion["credited"]) == ("approved", 30)
        clickbank.send(sealed(self.notice(click_id, "CGBK", -30, receipt=receipt), self.SECRET))
        assert person.app.wallet()["balance"] == 0

    def test_a_rebill_is_a_separate_conversion_however_late(self, clickbank, clicked, rows: Rows):
        person, click_id = clicked
        receipt = transaction()
        clickbank.send(sealed(self.notice(click_id, receipt=receipt), self.SECRET))
        rows.set("Clicks", {"clickId": click_id}, expiresAt="2020-01-01T00:00:00.000Z")
        for number in (1, 2, 2):
            rebill = self.notice(click_id, "BILL", 10, receipt=f"{receipt}-{number:04d}")
            clickbank.send(sealed(rebill, self.SECRET))
        assert person.app.wallet()["balance"] == 60.25
        assert len(rows.conversions(click_id)) == 3

    @pytest.mark.parametrize(
        "more",
        [
            {"role": "VENDOR"},
            {"transactionType": "TEST"},
            {"transactionType": "TEST_SALE"},
            {"transactionType": "CANCEL-REBILL"},
            {"affiliate": "somebody"},
        ],
    )
    def test_an_irrelevant_notice_only_leaves_a_receipt(self, clickbank, clicked, rows: Rows, more):
        person, click_id = clicked
        answer = clickbank.send(sealed(self.notice(click_id, receipt=transaction()) | more, self.SECRET))
        assert answer.status == 200
        assert person.app.wallet()["balance"] == 0
        assert rows.conversions(click_id) == []

    @pytest.mark.parametrize(
        "body",
        [b'{"notification":"!","iv":"!"}', b'{"notification":"","iv":""}', b"[1]", b"null", b"plain text", b"{}"],
    )
    def test_an_unreadable_body_is_refused(self, clickbank, body):
        answer = clickbank.send(Request({}, {"content-type": "application/json"}, body))
        assert (answer.status, answer.code) == (400, "INVALID_BODY")

    def test_a_notice_encrypted_with_another_secret_is_refused(self, clickbank, clicked):
        person, click_id = clicked
        answer = clickbank.send(sealed(self.notice(click_id), "ANOTHERSECRET999"))
        assert answer.status == 400
        assert person.app.wallet()["balance"] == 0

    @pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
    def test_an_envelope_may_be_a_form(self, clickbank, clicked, content_type):
        person, click_id = clicked
        envelope = json.loads(sealed(self.notice(click_id, receipt=transaction()), self.SECRET).body or b"")
        body = urlencode(envelope).encode()
        assert clickbank.send(Request({}, {"content-type": content_type}, body)).status == 200
        assert person.app.wallet()["balance"] == 40.25

    def test_a_click_can_be_in_the_tracking_parameters(self, clickbank, clicked):
        person, click_id = clicked
        notice = self.notice(None, receipt=transaction(), affiliateTrackingParameters={"extclid": click_id})
        clickbank.send(sealed(notice, self.SECRET))
        assert person.app.wallet()["balance"] == 40.25

    def test_the_published_vectors_are_processed(self, clickbank, rows: Rows):
        for name in ("clickbank_sale", "clickbank_refund", "clickbank_test"):
            body = json.dumps(VECTORS[name]["body"]).encode()
            assert clickbank.send(Request({}, {"content-type": "application/json"}, body)).status == 200
        (conversion,) = rows.find("Conversions", transactionId="RCO12345")
        assert (conversion["clickId"], conversion["status"]) == ("550e8400-e29b-41d4-a716-446655440000", "reversed")


class TestAttacks:
    def test_a_body_beside_a_signed_url_is_ignored(self, postings, clicked, new_person):
        """A signature of the URL does not cover a body."""
        thief = new_person()
        person, click_id = clicked
        posting = postings["bitlabs"]
        assert posting.network is not None
        url = f"{posting.public.api_url}/postback/{posting.key}"
        signed = posting.network.build(Conversion(click_id, transaction()), posting.secret, url)
        forged = json.dumps({"uid": thief.user_id, "val": "100", "tx": "stolen"}).encode()
        posting.send(dataclasses.replace(signed, body=forged, headers={"content-type": "application/json"}))
        assert (person.app.wallet()["balance"], thief.app.wallet()["balance"]) == (5, 0)

    def test_a_parameter_after_the_signature_invalidates_it(self, postings, clicked):
        person, click_id = clicked
        posting = postings["bitlabs"]
        assert posting.network is not None
        url = f"{posting.public.api_url}/postback/{posting.key}"
        signed = posting.network.build(Conversion(click_id, transaction()), posting.secret, url)
        answer = posting.public.call("GET", f"/postback/{posting.key}?{urlencode(signed.query)}&val=100")
        assert answer.status == 403
        assert person.app.wallet()["balance"] == 0

    def test_a_purchase_without_its_click_does_not_bypass_the_cap(self, plain, clicked, rows: Rows):
        person, click_id = clicked
        number = transaction()
        plain.send(Request({"click_id": click_id, "txid": number, "payout": "20", "status": "lead"}))
        plain.send(Request({"txid": number, "payout": "5000", "status": "sale"}))
        wallet = person.app.wallet()
        assert (wallet["balance"], wallet["pending"]) == (0, 5000)
        (conversion,) = rows.conversions(click_id)
        assert (conversion["status"], conversion["holdReason"]) == ("pending", "amount_over_cap")

    def test_a_network_changed_to_clickbank_gets_a_secret(self, new_network, admin):
        network_id = new_network("generic").data["networkId"]
        changed = eventually(
            lambda: (a := admin.patch("networks", network_id, preset="clickbank")).status == 200 and a, "the change"
        )
        assert len(changed.data["secret"]) == 16

    def test_an_enormous_number_is_refused_quickly(self, postings):
        query = {"user_id": "x", "value": "1e1000000", "token": "t", "signature": "s"}
        assert postings["pubscale"].send(Request(query)).status == 403

    def test_a_key_that_is_too_long_is_not_found(self, public):
        assert public.call("GET", f"/postback/{'k' * 3000}").code == "NETWORK_NOT_FOUND"

    def test_a_refund_without_its_click_is_applied_even_where_clicks_are_required(self, new_network, clicked):
        person, click_id = clicked
        posting = new_network("generic", requireKnownClick=True)
        number = transaction()
        posting.send(Request({"click_id": click_id, "txid": number, "payout": "5"}))
        assert person.app.wallet()["balance"] == 5
        posting.send(Request({"txid": number, "status": "refund"}))
        assert person.app.wallet()["balance"] == 0

    def test_a_refund_before_its_rebill_reverses_the_rebill(self, clickbank, clicked):
        person, click_id = clicked
        sale, number = transaction(), transaction()
        notice = TestClickBank().notice
        clickbank.send(sealed(notice(click_id, receipt=sale), TestClickBank.SECRET))
        clickbank.send(sealed(notice(click_id, "RFND", -10, receipt=number), TestClickBank.SECRET))
        clickbank.send(sealed(notice(click_id, "BILL", 10, receipt=number), TestClickBank.SECRET))
        assert person.app.wallet()["balance"] == 40.25


class TestSignedAdvertisers:
    def test_standard_webhooks_signatures_are_required(self, person, public, new_product):
        product = new_product(postbackAuth={"mode": "signature"})
        assert product.token.startswith("whsec_")
        body = '{"amount": 5, "transactionId": "signed"}'

        def post(moment: datetime, body_sent: str = body):
            click_id = person.app.click(product.product_id).data["clickId"]
            headers = {
                "webhook-id": "msg_1",
                "webhook-timestamp": str(int(moment.timestamp())),
                "webhook-signature": Webhook(product.token).sign("msg_1", moment, body),
                "content-type": "application/json",
            }
            return public.call(
                "POST", "/api/v1/earn/postback", params={"click_id": click_id}, data=body_sent, headers=headers
            )

        now = datetime.now(UTC)
        assert post(now).status == 200
        assert post(now - timedelta(minutes=6)).status == 403
        assert post(now + timedelta(minutes=6)).status == 403
        assert post(now, body.replace("5", "50")).status == 403
        click_id = person.app.click(product.product_id).data["clickId"]
        assert public.postback(click_id, token=product.token, amount=5).status == 403
        assert person.app.wallet()["balance"] == 5


class TestReceipts:
    def test_operators_can_find_receipts(self, admin, new_network, clicked):
        _, click_id = clicked
        posting = new_network("generic")
        posting.send(Request({"click_id": click_id, "payout": "5", "status": "nonsense"}))
        posting.send(Request({"click_id": click_id, "payout": "5", "txid": transaction()}))
        network_id = posting.data["networkId"]
        by_click = eventually(
            lambda: (items := admin.get("/api/v1/admin/receipts", clickId=click_id).data["items"]) and items, "receipts"
        )
        day = by_click[0]["receivedAt"][:10]
        by_day = admin.get("/api/v1/admin/receipts", networkId=network_id, day=day).data["items"]
        assert [receipt["outcome"] for receipt in by_day] == ["credited", "unknown_status"]
        wanted = admin.get("/api/v1/admin/receipts", networkId=network_id, day=day, outcome="credited").data["items"]
        assert [receipt["outcome"] for receipt in wanted] == ["credited"]
        whole = admin.get(f"/api/v1/admin/receipts/{wanted[0]['receiptId']}").data
        assert "payout=5" in whole["query"]
        assert whole["conversionId"]

    def test_a_receipt_can_be_reprocessed(self, admin, new_network, clicked):
        person, click_id = clicked
        posting = new_network("generic")
        posting.send(Request({"click_id": click_id, "payout": "5", "status": "paid", "txid": transaction()}))
        assert person.app.wallet()["balance"] == 0
        admin.patch("networks", posting.data["networkId"], statusMap={"paid": "approved"})
        day_items = eventually(
            lambda: admin.get(
                "/api/v1/admin/receipts",
                networkId=posting.data["networkId"],
                day=datetime.now(UTC).strftime("%Y-%m-%d"),
            ).data["items"],
            "the receipt",
        )
        path = f"/api/v1/admin/receipts/{day_items[0]['receiptId']}"
        assert admin.call("POST", f"{path}/replay").data["outcome"] == "credited"
        assert person.app.wallet()["balance"] == 5
        assert admin.get(path).data["outcome"] == "credited"
        assert admin.call("POST", f"{path}/replay").data["outcome"] == "repeat"
        assert person.app.wallet()["balance"] == 5

    def test_a_conversion_approved_by_reprocessing_counts_towards_the_caps(
        self, admin, new_network, new_product, person
    ):
        posting = new_network("generic")
        network_id, product = posting.data["networkId"], new_product(caps={"perUser": 1})
        for _ in range(2):
            click_id, number = person.app.click(product.product_id).data["clickId"], transaction()
            for status in ("lead", "paid"):
                posting.send(Request({"click_id": click_id, "payout": "5", "status": status, "txid": number}))
        assert person.app.wallet()["pending"] == 10
        admin.patch("networks", network_id, statusMap={"paid": "approved"})
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        wanted = {"networkId": network_id, "day": day, "outcome": "unknown_status"}
        refused = eventually(
            lambda: (
                (items := admin.get("/api/v1/admin/receipts", **wanted).data["items"]) and len(items) == 2 and items
            ),
            "both receipts",
        )
        replayed = [admin.call("POST", f"/api/v1/admin/receipts/{one['receiptId']}/replay").data for one in refused]
        assert [one["outcome"] for one in replayed] == ["credited", "held"]
        assert (person.app.wallet()["balance"], person.app.wallet()["pending"]) == (5, 5)

    def test_an_invalid_receipt_query_is_refused(self, admin, person):
        for query in (
            {},
            {"networkId": "x"},
            {"day": "2026-01-01"},
            {"networkId": "x", "day": "yesterday"},
            {"strangers": "true"},
            {"strangers": "yes", "day": "2026-01-01"},
            {"strangers": "true", "networkId": "x", "day": "2026-01-01"},
        ):
            answer = admin.get("/api/v1/admin/receipts", **query)
            assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert admin.get("/api/v1/admin/receipts/none").code == "RECEIPT_NOT_FOUND"
        assert person.app.get("/api/v1/admin/receipts", clickId="x").code == "FORBIDDEN"


class TestQuietNetworks:
    def test_a_network_that_stopped_posting_is_found(self, stack, new_network, admin):
        silent, paused, posting = (new_network("generic").data["networkId"] for _ in range(3))
        receipts, now = ReceiptsTable(stack.aws.dynamodb, stack.table("Receipts")), times.now()
        for network_id, days in ((silent, range(2, 9)), (paused, range(2, 9)), (posting, range(9))):
            for day in days:
                put_receipt(receipts, f"network:{network_id}", times.plus(now, days=-day))
        admin.patch("networks", paused, status="paused")

        def found() -> list[str]:
            return invoke(stack, "FindQuietNetworks", hours=24)["quiet"]

        assert eventually(lambda: paused not in found() and found(), "the silent network") == [silent]


def put_receipt(receipts: ReceiptsTable, source: str, moment: str) -> None:
    day = source_day(source, moment[:10])
    receipts.put(
        Receipt(
            receipt_id=ids.new_receipt_id(moment),
            received_at=moment,
            outcome="credited",
            source=source,
            source_day=day,
            ttl=times.epoch_seconds(times.plus(moment, days=90)),
        )
    )


class TestManaging:
    def test_a_network_shows_its_postback_url_and_its_secret_only_once(self, admin):
        created = admin.create("networks", name="BitLabs", preset="bitlabs").data
        assert created["postbackUrl"].partition("?")[0].endswith(f"/postback/{created['uniqueKey']}")
        assert "uid={uid}" in created["postbackUrl"]
        secret = created["secret"]
        read = eventually(
            lambda: (a := admin.get(f"/api/v1/admin/networks/{created['networkId']}")).status == 200 and a,
            "the network",
        )
        assert secret not in str(read.body)
        assert "secret" not in read.data
        given = admin.patch("networks", created["networkId"], secret="my own").data
        assert given["secret"] == "my own"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("preset", "none such"),
            ("uniqueKey", "short"),
            ("allowedCidrs", ["nonsense"]),
            ("paramMap", {"nonsense": "x"}),
            ("statusMap", {"x": "sold"}),
            ("creditBy", "magic"),
            ("rewardRate", "-1"),
            ("name", None),
        ],
    )
    def test_the_error_names_the_invalid_field(self, admin, field, value):
        answer = admin.create("networks", **{"name": "x", field: value})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert answer.body["error"]["details"][0].startswith(field)

    def test_a_preset_with_a_weak_signature_requires_allowed_addresses(self, admin):
        answer = admin.create("networks", name="x", preset="torox", creditBy="user")
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        fields = {"name": "x", "preset": "torox", "creditBy": "user", "allowedCidrs": ["203.0.113.0/24"]}
        assert admin.create("networks", **fields).status == 201

    def test_a_given_key_can_be_used_only_once(self, admin):
        fields = {"name": "x", "uniqueKey": "a-key-that-is-given_0001"}
        assert admin.create("networks", **fields).data["uniqueKey"] == fields["uniqueKey"]
        assert admin.create("networks", **fields).code == "NETWORK_EXISTS"

    def test_users_are_forbidden(self, person):
        assert person.app.create("networks", name="x").code == "FORBIDDEN"
