"""Conversions are delivered to partners: at once, or after retries, or they are parked for an operator."""

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
from tests.integration.campaign import path
from tests.integration.functions import invoke, queue_is_empty, withheld
from tests.integration.rows import Rows
from tests.waiting import PATIENCE, eventually, never


def test_a_get_carries_the_macros(campaign, partners):
    where = path("ok")
    campaign.add_partner(
        where,
        "a={click_id}&b={STATUS}&c={payout}&d={currency}&e={offer_id}&f={sub1}&g={transaction_id}&h={sum}&i={subid}"
        "&j=x{event}y&k={country}&l={offer_name}&m={affiliate_id}",
    )
    campaign.tags["country"] = "de"
    campaign.report(amount=12.5)
    row = campaign.delivery(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert received.method == "GET"
    assert received.query == {
        "a": campaign.click_id,
        "b": "Purchase",
        "c": "12.5",
        "d": "USD",
        "e": "o-1",
        "f": "a b&c",
        "g": f"t-{campaign.click_id}",
        "h": "12.5",
        "i": campaign.click_id,
        "j": "xy",
        "k": "DE",
        "l": "A product",
        "m": row.notice.user_id,
    }
    assert (row.attempt_count, len(row.attempts), row.attempts[0].status_code) == (1, 1, 200)
    assert received.delivery_id == row.delivery_id


def test_a_post_carries_json(campaign, partners):
    where = path("ok")
    campaign.add_partner(where, "", method="POST")
    campaign.report(amount=3)
    campaign.delivery(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert received.headers["content-type"] == "application/json"
    body = json.loads(received.body)
    assert (body["clickId"], body["status"], body["payout"]) == (campaign.click_id, "Purchase", "3")


def test_a_post_carries_a_template_of_the_partners_own(campaign, partners):
    where = path("ok")
    template = '{"id": "{click_id}", "money": {payout}, "tag": "{sub1}", "status": "{status}"}'
    campaign.add_partner(where, "", method="POST", bodyTemplate=template, statusWords={"Purchase": 'say "yes"'})
    campaign.report(amount=3)
    campaign.delivery(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert json.loads(received.body) == {"id": campaign.click_id, "money": 3, "tag": "a b&c", "status": 'say "yes"'}


def test_a_post_carries_a_form(campaign, partners):
    where = path("ok")
    campaign.add_partner(where, "", method="POST", contentType="form", bodyTemplate="id={click_id}&tag={sub1}")
    campaign.report()
    campaign.delivery(DeliveryState.DELIVERED)
    (received,) = partners.at(where)
    assert parse_qs(received.body) == {"id": [campaign.click_id], "tag": ["a b&c"]}


def test_every_request_is_signed(campaign, partners):
    get, post = path("ok"), path("ok")
    secrets = {
        where: campaign.add_partner(where, method=method)["signingSecret"]
        for where, method in ((get, "GET"), (post, "POST"))
    }
    before = int(time.time())
    campaign.report()
    eventually(lambda: partners.at(get) and partners.at(post), "both requests")
    after = time.time()
    for where, secret in secrets.items():
        (received,) = partners.at(where)
        query = urlencode(received.query)
        payload = received.body if where == post else f"{where}?{query}"
        signed = f"{received.headers['webhook-id']}.{received.headers['webhook-timestamp']}.{payload}".encode()
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert received.headers["webhook-signature"] == f"v1,{expected}"
        assert before <= int(received.headers["webhook-timestamp"]) <= after


def test_a_partner_receives_only_the_events_it_subscribed_to(campaign, partners):
    purchases, everything = path("ok"), path("ok")
    campaign.add_partner(purchases, events=["Purchase"])
    campaign.add_partner(everything)
    campaign.report("Lead")
    eventually(lambda: partners.at(everything), "the Lead")
    campaign.report("Purchase")
    eventually(lambda: len(partners.at(everything)) == 2, "the Purchase")
    eventually(lambda: partners.at(purchases), "the Purchase")
    assert [received.query["status"] for received in partners.at(purchases)] == ["Purchase"]
    assert [received.query["status"] for received in partners.at(everything)] == ["Lead", "Purchase"]


def test_a_repeated_postback_is_not_delivered_again(campaign, partners):
    where = path("ok")
    campaign.add_partner(where)
    campaign.report()
    campaign.delivery(DeliveryState.DELIVERED)
    assert campaign.report()["duplicate"] is True
    never(lambda: len(partners.at(where)) > 1, "a second request")


def test_a_partner_that_fails_twice_receives_the_third_attempt(campaign, partners):
    where = path("flaky")
    campaign.add_partner(where)
    campaign.report()
    row = campaign.delivery(DeliveryState.DELIVERED)
    assert row.attempt_count == 3
    assert [attempt.status_code for attempt in row.attempts] == [500, 500, 200]
    assert {received.delivery_id for received in partners.at(where)} == {row.delivery_id}
    assert [received.answered for received in partners.at(where)] == [500, 500, 200]


def test_a_delivery_that_always_fails_is_parked_and_queued_for_an_operator(campaign, partners, stack):
    where = path("down")
    campaign.add_partner(where)
    campaign.report()
    row = campaign.delivery(DeliveryState.PARKED)
    assert [attempt.status_code for attempt in row.attempts] == [503] * 4
    assert parked_message(stack, row)["deliveryKey"] == row.delivery_key


def parked_message(stack: Stack, row: Delivery) -> dict[str, str]:
    """Return the message of this delivery, once it is in the parking queue."""
    queue_url = stack.outputs["ParkedDeliveriesQueueUrl"]

    def parked() -> list[str]:
        messages = stack.aws.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=1)
        return [m["Body"] for m in messages.get("Messages", []) if row.conversion_id in m["Body"]]

    (body,) = eventually(parked, "the message in the parking queue")
    return json.loads(body)


def test_a_delivery_that_can_never_be_sent_is_parked_at_once(campaign, partners, stack):
    where = path("ok")
    campaign.add_partner(where, query="sub={sub1}" * 6)
    campaign.tags["sub1"] = "\U0001f600" * 128
    campaign.report()
    row = campaign.delivery(DeliveryState.PARKED)
    assert (row.attempt_count, partners.at(where)) == (1, [])
    assert "over 8 KiB" in row.attempts[-1].error
    parked_message(stack, row)


def test_one_failing_partner_does_not_delay_another(campaign, partners):
    bad, good = path("down"), path("ok")
    campaign.add_partner(bad)
    campaign.add_partner(good)
    campaign.report()
    campaign.delivery(DeliveryState.DELIVERED)
    campaign.delivery(DeliveryState.PARKED)
    assert len(partners.at(good)) == 1


def test_a_redirect_is_a_failure_and_is_not_followed(campaign, partners):
    campaign.add_partner(path("moved"))
    campaign.report()
    row = campaign.delivery(DeliveryState.PARKED)
    assert {attempt.status_code for attempt in row.attempts} == {302}
    assert partners.at("/ok/stolen") == []


def test_a_retry_waits_as_long_as_the_partner_requested(campaign, partners, stack, rows: Rows):
    where = path("later")
    campaign.add_partner(where)
    campaign.report()
    row = eventually(lambda: [row for row in campaign.deliveries() if row.due_at], "a due time")[0]
    assert row.state is DeliveryState.RETRYING
    assert len(partners.at(where)) == 1
    key = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key}
    rows.set("Deliveries", key, dueAt="2020-01-01T00:00:00.000Z")
    invoke(stack, "ReleaseDueDeliveries")
    row = campaign.delivery(DeliveryState.DELIVERED)
    assert [attempt.status_code for attempt in row.attempts] == [503, 200]
    assert row.due_at is None


def test_a_lead_is_not_sent_after_its_purchase(campaign, partners, stack):
    where = path("no-leads")
    campaign.add_partner(where)
    with withheld(stack, "RetryDeliveries"):  # else the Lead might have no retry left by then
        campaign.report("Lead")
        eventually(lambda: partners.at(where), "the Lead that fails")
        campaign.report("Purchase")
        eventually(lambda: len(campaign.deliveries()) == 2, "the Purchase's delivery")
    lead = campaign.delivery(DeliveryState.SUPERSEDED)
    purchase = campaign.delivery(DeliveryState.DELIVERED)
    assert (lead.version, purchase.version) == (1, 2)
    statuses = [received.query["status"] for received in partners.at(where)]
    assert statuses[-1] == "Purchase"
    assert "Lead" not in statuses[statuses.index("Purchase") :]


def test_a_duplicate_message_does_not_send_again(campaign, partners, stack):
    where = path("flaky")
    campaign.add_partner(where)
    campaign.report()
    row = campaign.delivery(DeliveryState.DELIVERED)
    before, queue_url = len(partners.at(where)), stack.outputs["FailedDeliveriesQueueUrl"]
    for attempt in (1, 2, 3):
        body = {"conversionId": row.conversion_id, "deliveryKey": row.delivery_key, "attempt": attempt}
        stack.aws.sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(body))
    eventually(lambda: queue_is_empty(stack, queue_url), "the processing of all messages")
    assert len(partners.at(where)) == before


def test_killing_the_distribution_loses_nothing_and_repeats_no_recorded_delivery(campaign, partners, emulator):
    quick, slow = path("ok"), path("held")
    campaign.add_partner(quick)
    campaign.add_partner(slow)
    with partners.holding() as has_held:
        campaign.report()
        assert has_held.wait(PATIENCE)
        campaign.delivery(DeliveryState.DELIVERED)
        assert kill_workers(emulator.pid, "DistributeConversions") >= 1
    eventually(
        lambda: len([row for row in campaign.deliveries() if row.state is DeliveryState.DELIVERED]) == 2,
        "both deliveries",
    )
    assert len(partners.at(quick)) == 1
    ids = [received.delivery_id for received in partners.at(slow)]
    assert len(ids) >= 1
    assert len(set(ids)) == 1


def test_a_partner_url_cannot_be_the_lambda_runtime_api(admin):
    answer = admin.create("partners", name="x", postbackUrl="http://127.0.0.1:9001/2018-06-01/runtime/invocation/next")
    assert (answer.status, answer.code) == (400, "PARTNER_URL_NOT_ALLOWED")


def kill_workers(emulator_pid: int, function: str) -> int:
    """Kill (SIGKILL) the processes in which the emulator runs a function; return how many there were."""
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
