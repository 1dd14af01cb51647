"""The main loop, done for real and shown step by step: click, postback, wallet, partners, retry."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from typing import Any

import requests

from local.clickbank import sealed
from local.client import Client
from local.seed import TASK_URL, Demo
from local.stack import Stack
from ricochet.delivery.delivery import Delivery
from ricochet.dynamodb.wire import from_wire, to_wire

WAIT_SECONDS = 90
AMOUNT = 50


class DemoFailedError(Exception):
    """The loop did not come full circle; the text says where it stopped."""


def show_loop(stack: Stack, demo: Demo, partner_url: str, say: Callable[[str], None] = print) -> str:
    """Runs the loop once; DemoFailedError where it does not do what it should. Returns ClickBank's id of its sale."""
    app, public = Client(stack.api_url, demo.user.token), Client(stack.api_url)
    before, before_referrer = _balances(stack, demo)

    say("\n1. The app asks for a click on a product")
    click = app.click(
        demo.products["secret"]["productId"], taskUrl=TASK_URL, offerId="offer-7", subid="campaign-1"
    ).data
    click_id = click["clickId"]
    say(f"   clickId      {click_id}\n   redirectUrl  {click['redirectUrl']}\n   expiresAt    {click['expiresAt']}")
    public.track(click_id)
    say("   The app tells that the user has opened it; the visit is counted")

    say("\n2. The advertiser reports the conversion")
    report: dict[str, Any] = {"amount": AMOUNT, "status": "completed", "transactionId": f"txn-{click_id[:8]}"}
    refused = public.postback(click_id, **report)
    say(f"   without its token   {refused.status} {refused.code}: users cannot pay themselves")
    token = demo.products["secret"]["postbackToken"]
    paid = public.postback(click_id, token=token, **report)
    say(f"   with its token      {paid.status} {paid.data['status']}, {paid.data['amount']:.2f} USD")
    again = public.postback(click_id, token=token, **report)
    word = "a duplicate: nothing changes" if again.data.get("duplicate") else "credited again!"
    say(f"   the same once more  {again.status} {word}")

    say("\n3. The wallet has grown, once")
    after, after_referrer = _wait(lambda: _grown(stack, demo, before_referrer), "the referrer's commission")
    say(f"   user      {before:>10.2f} -> {after:.2f} USD")
    say(f"   referrer  {before_referrer:>10.2f} -> {after_referrer:.2f} USD (10 % commission)")

    say("\n4. Three partners are told")
    rows = _wait(lambda: _rows(stack, click_id, partner_url), "the first attempts")
    for row in rows:
        say(f"   {row.partner_id:<11} {row.state:<10} {_attempts(row)}")

    say("\n5. The one that fails is tried again, from the dead-letter queue")
    done = _wait(lambda: _delivered(stack, rows[0].conversion_id), "the retries", seconds=WAIT_SECONDS)
    for row in done:
        say(f"   {row.partner_id:<11} {row.state:<10} {_attempts(row)}")

    return _show_networks(stack, demo, say)


def _show_networks(stack: Stack, demo: Demo, say: Callable[[str], None]) -> str:
    app, public = Client(stack.api_url, demo.user.token), Client(stack.api_url)

    def balance() -> str:
        wallet = app.wallet()
        return f"balance {wallet['balance']:.2f}, pending {wallet['pending']:.2f} USD"

    click_id = app.click(demo.products["secret"]["productId"]).data["clickId"]
    clickbank, sale_id = demo.networks["clickbank"], f"RCO{click_id[:8].upper()}"
    say(f"\n6. ClickBank reports sale {sale_id}, and then its refund (encrypted notices)")
    say(f"   before   {balance()}")
    for kind, amount in (("SALE", 40.25), ("RFND", -40.25)):
        notice = {
            "transactionType": kind,
            "receipt": sale_id,
            "role": "AFFILIATE",
            "totalAccountAmount": amount,
            "currency": "USD",
            "trackingCodes": [click_id.replace("-", "")],
            "attemptCount": 1,
        }
        answer = public.network_postback(str(clickbank["uniqueKey"]), json=sealed(notice, str(clickbank["secret"])))
        say(f"   {kind}     {answer.status} {answer.body}, {balance()}")

    say("\n7. A network's Lead becomes a Purchase and then Trash")
    click_id = app.click(demo.products["open"]["productId"]).data["clickId"]
    for status in ("Lead", "Purchase", "Trash"):
        query = {"click_id": click_id, "status": status, "payout": "20.00", "txid": f"net-{click_id[:8]}"}
        answer = public.network_postback(str(demo.networks["generic"]["uniqueKey"]), params=query)
        say(f"   {status:<8} {answer.status}, {balance()}")
    return sale_id


def curl_lines(stack: Stack, demo: Demo) -> list[str]:
    """The two requests of the documentation, ready to paste; the second has a click of its own waiting."""
    product_id = demo.products["open"]["productId"]
    click_id = Client(stack.api_url, demo.user.token).click(product_id, taskUrl=TASK_URL).data["clickId"]
    body = {
        "amount": AMOUNT,
        "status": "completed",
        "transactionId": f"test_txn_{click_id[:8]}",
        "conversionId": f"test_conv_{click_id[:8]}",
    }
    return [
        _curl(
            f"{stack.api_url}/api/v1/earn/products/{product_id}/click",
            {"taskUrl": TASK_URL},
            f"Authorization: Bearer {demo.user.token}",
        ),
        _curl(f"{stack.api_url}/api/v1/earn/postback?click_id={click_id}", body),
    ]


def _curl(url: str, body: dict[str, Any], *headers: str) -> str:
    given = [*headers, "Content-Type: application/json"]
    lines = [f"curl -X POST {shlex.quote(url)}", *(f"  -H {shlex.quote(header)}" for header in given)]
    return " \\\n".join([*lines, f"  -d {shlex.quote(json.dumps(body))}"])


def _balances(stack: Stack, demo: Demo) -> tuple[float, float]:
    user = Client(stack.api_url, demo.user.token).wallet()["balance"]
    referrer = Client(stack.api_url, demo.referrer.token).wallet()["balance"]
    return user, referrer


def _grown(stack: Stack, demo: Demo, before_referrer: float) -> tuple[float, float] | None:
    user, referrer = _balances(stack, demo)
    return (user, referrer) if referrer > before_referrer else None


def deliveries(stack: Stack, conversion_id: str) -> list[Delivery]:
    reply = stack.aws.dynamodb.query(
        TableName=stack.table("Deliveries"),
        KeyConditionExpression="conversionId = :id",
        ExpressionAttributeValues=to_wire({":id": conversion_id}),
        ConsistentRead=True,
    )
    return [Delivery.from_item(from_wire(item)) for item in reply["Items"]]


def _rows(stack: Stack, click_id: str, partner_url: str) -> list[Delivery] | None:
    """The three rows of the click's conversion, once its partners have been called."""
    log = requests.get(f"{partner_url}/log", timeout=5).json()
    seen = [entry["query"]["conversion_id"] for entry in log if entry["query"].get("click_id") == click_id]
    rows = deliveries(stack, seen[0]) if seen else []
    return rows if len(rows) == 3 else None


def _delivered(stack: Stack, conversion_id: str) -> list[Delivery] | None:
    rows = deliveries(stack, conversion_id)
    return rows if all(row.state.is_terminal for row in rows) else None


def _attempts(row: Delivery) -> str:
    return ", ".join(f"#{number} {a.status_code or a.error} ({a.ms} ms)" for number, a in enumerate(row.attempts, 1))


def _wait[V](look: Callable[[], V | None], what: str, seconds: float = WAIT_SECONDS) -> V:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise DemoFailedError(f'{what} did not come within {seconds:g} s; where it runs, `make ops ARGS="doctor"` says why')
