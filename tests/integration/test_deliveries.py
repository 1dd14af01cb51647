"""Partners are told: at once, or later, or an operator learns that they could not be."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import signal
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode

from local.stack import Stack
from ricochet.delivery.delivery import Delivery, DeliveryState
from tests.integration.conftest import Rows, eventually
from tests.integration.telling import path


def test_a_get_carries_the_macros(told, partners):
    where = path("ok")
    told.partner(
        where,
        "a={click_id}&b={STATUS}&c={payout}&d={currency}&e={offer_id}&f={sub1}&g={transaction_id}&h={sum}&i={subid}"
        "&j=x{event}y&k={country}&l={offer_name}&m={affiliate_id}",
    )
    told.tags["country"] = "de"
    told.convert(amount=12.5)
    row = told.row(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert received.method == "GET"
    assert received.query == {
        "a": told.click_id,
        "b": "Purchase",
        "c": "12.5",
        "d": "USD",
        "e": "o-1",
        "f": "a b&c",
        "g": f"t-{told.click_id}",
        "h": "12.5",
        "i": told.click_id,
        "j": "xy",
        "k": "DE",
        "l": "A product",
        "m": row.notice.user_id,
    }
    assert (row.attempt_count, len(row.attempts), row.attempts[0].status_code) == (1, 1, 200)
    assert received.delivery_id == row.delivery_id


def test_a_post_carries_json(told, partners):
    where = path("ok")
    told.partner(where, "", method="POST")
    told.convert(amount=3)
    told.row(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert received.headers["content-type"] == "application/json"
    body = json.loads(received.body)
    assert (body["clickId"], body["status"], body["payout"]) == (told.click_id, "Purchase", "3")


def test_a_post_carries_a_template_of_the_partners_own(told, partners):
    where = path("ok")
    template = '{"id": "{click_id}", "money": {payout}, "tag": "{sub1}", "word": "{status}"}'
    told.partner(where, "", method="POST", bodyTemplate=template, statusWords={"Purchase": 'say "yes"'})
    told.convert(amount=3)
    told.row(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert json.loads(received.body) == {"id": told.click_id, "money": 3, "tag": "a b&c", "word": 'say "yes"'}


def test_a_post_carries_a_form(told, partners):
    where = path("ok")
    told.partner(where, "", method="POST", contentType="form", bodyTemplate="id={click_id}&tag={sub1}")
    told.convert()
    told.row(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert parse_qs(received.body) == {"id": [told.click_id], "tag": ["a b&c"]}


def test_every_request_is_signed(told, partners):
    get, post = path("ok"), path("ok")
    secrets = {
        where: told.partner(where, method=method)["signingSecret"] for where, method in ((get, "GET"), (post, "POST"))
    }
    told.convert()
    eventually(lambda: partners.at(get) and partners.at(post), "both requests")
    for where, secret in secrets.items():
        (received,) = partners.at(where)
        query = urlencode(received.query)
        payload = received.body if where == post else f"{where}?{query}"
        signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.{payload}".encode()
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert received.headers["webhook-signature"] == f"v1,{expected}"
        assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60


def test_a_partner_hears_only_of_the_events_it_asked_for(told, partners):
    purchases, everything = path("ok"), path("ok")
    told.partner(purchases, events=["Purchase"])
    told.partner(everything)
    told.convert("Lead")
    eventually(lambda: partners.at(everything), "the Lead")
    told.convert("Purchase")
    eventually(lambda: len(partners.at(everything)) == 2, "the Purchase")
    eventually(lambda: partners.at(purchases), "the Purchase")
    assert [received.query["status"] for received in partners.at(purchases)] == ["Purchase"]
    assert [received.query["status"] for received in partners.at(everything)] == ["Lead", "Purchase"]


def test_a_repeated_postback_tells_nobody_anything_again(told, partners):
    where = path("ok")
    told.partner(where)
    told.convert()
    told.row(DeliveryState.DELIVERED)
    assert told.convert()["duplicate"] is True
    time.sleep(1)
    assert len(partners.at(where)) == 1


def test_a_partner_that_fails_twice_is_told_at_the_third_attempt(told, partners):
    where = path("flaky")
    told.partner(where)
    told.convert()
    row = told.row(DeliveryState.DELIVERED)
    assert row.attempt_count == 3
    assert [attempt.status_code for attempt in row.attempts] == [500, 500, 200]
    assert {received.delivery_id for received in partners.at(where)} == {row.delivery_id}
    assert [received.answered for received in partners.at(where)] == [500, 500, 200]


def test_a_partner_that_always_fails_ends_parked_and_in_the_parking_queue(told, partners, stack):
    where = path("down")
    told.partner(where)
    told.convert()
    row = told.row(DeliveryState.PARKED)
    assert [attempt.status_code for attempt in row.attempts] == [503] * 4
    assert parked_message(stack, row)["deliveryKey"] == row.delivery_key


def parked_message(stack: Stack, row: Delivery) -> dict[str, str]:
    """The message of this delivery, once it is in the parking queue."""
    queue_url = stack.outputs["ParkedDeliveriesQueueUrl"]

    def parked() -> list[str]:
        messages = stack.aws.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=1)
        return [m["Body"] for m in messages.get("Messages", []) if row.conversion_id in m["Body"]]

    (body,) = eventually(parked, "the message in the parking queue")
    return json.loads(body)


def test_what_can_never_be_sent_is_parked_at_once(told, partners, stack):
    where = path("ok")
    told.partner(where, query="sub={sub1}" * 6)
    told.tags["sub1"] = "\U0001f600" * 128
    told.convert()
    row = told.row(DeliveryState.PARKED)
    assert (row.attempt_count, partners.at(where)) == (1, [])
    assert "over 8 KiB" in row.attempts[-1].error
    parked_message(stack, row)


def test_one_partners_failure_holds_up_nobody_else(told, partners):
    bad, good = path("down"), path("ok")
    told.partner(bad)
    told.partner(good)
    told.convert()
    told.row(DeliveryState.DELIVERED)
    told.row(DeliveryState.PARKED)
    assert len(partners.at(good)) == 1


def test_a_redirect_is_a_failure_and_is_not_followed(told, partners):
    told.partner(path("moved"))
    told.convert()
    row = told.row(DeliveryState.PARKED)
    assert {attempt.status_code for attempt in row.attempts} == {302}
    assert partners.at("/ok/stolen") == []


def test_a_partner_who_asks_for_an_hour_gets_it(told, partners, stack, rows: Rows):
    where = path("later")
    told.partner(where)
    told.convert()
    row = eventually(lambda: [row for row in told.rows() if row.due_at], "a due time")[0]
    assert row.state is DeliveryState.RETRYING
    assert len(partners.at(where)) == 1
    key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
    rows.set("Deliveries", key, dueAt="2020-01-01T00:00:00.000Z")
    stack.aws.lambda_.invoke(FunctionName=stack.function("ReleaseDueDeliveries"), Payload=b"{}")
    row = told.row(DeliveryState.DELIVERED)
    assert [attempt.status_code for attempt in row.attempts] == [503, 200]
    assert row.due_at is None


def test_no_partner_hears_of_a_lead_after_the_purchase(told, partners):
    where = path("no-leads")
    told.partner(where)
    told.convert("Lead")
    eventually(lambda: partners.at(where), "the Lead that fails")
    told.convert("Purchase")
    lead = told.row(DeliveryState.SUPERSEDED)
    purchase = told.row(DeliveryState.DELIVERED)
    assert (lead.version, purchase.version) == (1, 2)
    words = [received.query["status"] for received in partners.at(where)]
    assert words[-1] == "Purchase"
    assert "Lead" not in words[words.index("Purchase") :]


def test_a_message_that_comes_twice_sends_once(told, partners, stack):
    where = path("flaky")
    told.partner(where)
    told.convert()
    row = told.row(DeliveryState.DELIVERED)
    before = len(partners.at(where))
    for attempt in (1, 2, 3):
        body = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key, "attempt": attempt}
        stack.aws.sqs.send_message(QueueUrl=stack.outputs["FailedDeliveriesQueueUrl"], MessageBody=json.dumps(body))
    time.sleep(2)
    assert len(partners.at(where)) == before


def test_killing_the_distribution_loses_nothing_and_repeats_nothing_that_is_recorded(told, partners, emulator):
    quick, slow = path("ok"), path("held")
    told.partner(quick)
    told.partner(slow)
    partners.release.clear()
    partners.holding.clear()
    told.convert()
    assert partners.holding.wait(timeout=20)
    told.row(DeliveryState.DELIVERED)
    assert kill_workers(emulator.pid, "DistributeConversions") >= 1
    partners.release.set()
    eventually(
        lambda: len([row for row in told.rows() if row.state is DeliveryState.DELIVERED]) == 2, "both deliveries"
    )
    assert len(partners.at(quick)) == 1
    ids = [received.delivery_id for received in partners.at(slow)]
    assert len(ids) >= 1
    assert len(set(ids)) == 1


def test_nothing_that_is_asked_of_a_partner_reaches_our_own_runtime(admin):
    answer = admin.create("partners", name="x", postbackUrl="http://127.0.0.1:9001/2018-06-01/runtime/invocation/next")
    assert (answer.status, answer.code) == (400, "PARTNER_URL_NOT_ALLOWED")


def kill_workers(emulator_pid: int, function: str) -> int:
    """Kills (SIGKILL) the processes in which the emulator runs a function; how many there were."""
    killed = 0
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            command = (process / "cmdline").read_bytes().decode()
            if parent == emulator_pid and f"-{function}-" in command:
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    return killed
