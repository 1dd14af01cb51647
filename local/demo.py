"""The main loop, done for real and shown step by step: click, postback, wallet, partners, retry."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterable
from typing import Any

import requests

from local.clickbank import sealed
from local.client import Client
from local.seed import TASK_URL, Demo
from local.stack import Stack
from ricochet.delivery.delivery import Delivery
from ricochet.dynamodb.wire import from_wire, to_wire

Print = Callable[[str], None]

WAIT_SECONDS = 300
AMOUNT = 50


class DemoFailedError(Exception):
    """A step of the main loop did not happen; the text says which."""


def show_loop(stack: Stack, demo: Demo, partner_url: str, print_line: Print = print) -> str:
    """Run the main loop once and return ClickBank's id of its sale; raise DemoFailedError if a step does not happen."""
    app, public = Client(stack.api_url, demo.user.token), Client(stack.api_url)
    before, referrer_before = _balances(stack, demo)
    product = demo.products["secret"]

    print_line("\n1. The app requests a click on a product")
    click = app.click(product["productId"], taskUrl=TASK_URL, offerId="offer-7", subid="campaign-1").data
    click_id = click["clickId"]
    for name in ("clickId", "redirectUrl", "expiresAt"):
        print_line(f"   {name:<15}{click[name]}")
    public.track(click_id)
    print_line(f"   {'visit':<15}the app reports that the user opened the offer")

    print_line("\n2. The advertiser reports the conversion")
    report: dict[str, Any] = {"amount": AMOUNT, "status": "completed", "transactionId": f"txn-{click_id[:8]}"}
    refused = public.postback(click_id, **report)
    print_line(f"   without token  {refused.status} {refused.code}: users cannot pay themselves")
    token = product["postbackToken"]
    paid = public.postback(click_id, token=token, **report)
    print_line(f"   with token     {paid.status} {paid.data['status']}, {paid.data['amount']:.2f} USD")
    again = public.postback(click_id, token=token, **report)
    result = "duplicate: nothing changes" if again.data.get("duplicate") else "credited twice!"
    print_line(f"   once more      {again.status} {result}")

    print_line("\n3. The wallets grow, once")
    after, referrer_after = _wait(lambda: _grown(stack, demo, referrer_before), "the referrer's commission")
    print_line(f"   user           {before:.2f} → {after:.2f} USD")
    print_line(f"   referrer       {referrer_before:.2f} → {referrer_after:.2f} USD (10 % commission)")

    print_line("\n4. The conversion is sent to three partners")
    rows = _wait(lambda: _first_attempts(stack, click_id, partner_url), "the first attempts")
    _show_deliveries(rows, print_line)

    print_line("\n5. The failed delivery is retried from its queue")
    delivered = _wait(lambda: _delivered(stack, rows[0].conversion_id), "the retries")
    _show_deliveries([row for row in delivered if len(row.attempts) > 1], print_line)

    return _show_networks(stack, demo, print_line)


def _show_deliveries(rows: Iterable[Delivery], print_line: Print) -> None:
    for row in rows:
        print_line(f"   {row.partner_id:<15}{row.state:<11}{_attempts(row)}")


def _show_networks(stack: Stack, demo: Demo, print_line: Print) -> str:
    app, public = Client(stack.api_url, demo.user.token), Client(stack.api_url)

    def wallet() -> str:
        found = app.wallet()
        return f"balance {found['balance']:.2f} USD, pending {found['pending']:.2f} USD"

    click_id = app.click(demo.products["secret"]["productId"]).data["clickId"]
    clickbank, sale_id = demo.networks["clickbank"], f"RCO{click_id[:8].upper()}"
    print_line(f"\n6. ClickBank reports sale {sale_id}, then its refund (encrypted notices)")
    print_line(f"   {'before':<15}    {wallet()}")
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
        print_line(f"   {kind:<15}{answer.status} {wallet()}")

    print_line("\n7. A network reports a Lead, which becomes a Purchase, then Trash")
    click_id = app.click(demo.products["open"]["productId"]).data["clickId"]
    for status in ("Lead", "Purchase", "Trash"):
        query = {"click_id": click_id, "status": status, "payout": "20.00", "txid": f"net-{click_id[:8]}"}
        answer = public.network_postback(str(demo.networks["generic"]["uniqueKey"]), params=query)
        print_line(f"   {status:<15}{answer.status} {wallet()}")
    return sale_id


def curl_lines(stack: Stack, demo: Demo) -> list[str]:
    """Return the documentation's two requests, ready to paste; the second one is for a new click."""
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


def _grown(stack: Stack, demo: Demo, referrer_before: float) -> tuple[float, float] | None:
    user, referrer = _balances(stack, demo)
    return (user, referrer) if referrer > referrer_before else None


def deliveries(stack: Stack, conversion_id: str) -> list[Delivery]:
    reply = stack.aws.dynamodb.query(
        TableName=stack.table("Deliveries"),
        KeyConditionExpression="conversionId = :id",
        ExpressionAttributeValues=to_wire({":id": conversion_id}),
        ConsistentRead=True,
    )
    return [Delivery.from_item(from_wire(item)) for item in reply["Items"]]


def _first_attempts(stack: Stack, click_id: str, partner_url: str) -> list[Delivery] | None:
    """Return the three deliveries of the click's conversion, after their first attempts."""
    log = requests.get(f"{partner_url}/log", timeout=60).json()
    conversion_ids = [entry["query"]["conversion_id"] for entry in log if entry["query"].get("click_id") == click_id]
    rows = deliveries(stack, conversion_ids[0]) if conversion_ids else []
    return rows if len(rows) == 3 else None


def _delivered(stack: Stack, conversion_id: str) -> list[Delivery] | None:
    rows = deliveries(stack, conversion_id)
    return rows if all(row.state.is_terminal for row in rows) else None


def _attempts(row: Delivery) -> str:
    return ", ".join(f"{attempt.status_code or attempt.error} ({attempt.ms} ms)" for attempt in row.attempts)


def _wait[V](look: Callable[[], V | None], what: str) -> V:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.2)
    raise DemoFailedError(f'{what} did not happen within {WAIT_SECONDS} s; `make ops ARGS="doctor"` says why')
