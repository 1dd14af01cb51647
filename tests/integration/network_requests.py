"""Requests as each network sends them, made by the vendors' own formulas and not by the code under test."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, urlencode

from local import clickbank as clickbank_notices


@dataclass(frozen=True)
class Conversion:
    """A conversion before any network has formatted it."""

    identifier: str  # our click, or our user
    transaction: str
    amount: str = "5"
    reversal: bool = False


@dataclass(frozen=True)
class Request:
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None

    def url(self, base: str) -> str:
        return f"{base}?{urlencode(self.query)}" if self.query else base


@dataclass(frozen=True)
class Network:
    """`build(conversion, secret, url)` returns the request; `url` is the postback URL without a query."""

    preset: str
    build: Callable[[Conversion, str, str], Request]
    accepted: str | None = "OK"  # the body of the answer; None: JSON
    duplicate: str | None = None
    can_reverse: bool = True
    is_signed: bool = True
    fields: dict[str, Any] = field(default_factory=dict)  # with which the network is created


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def mac(algorithm: str, secret: str, data: str | bytes) -> str:
    return hmac.new(secret.encode(), data.encode() if isinstance(data, str) else data, algorithm).hexdigest()


def generic(c: Conversion, secret: str, url: str) -> Request:
    status = "chargeback" if c.reversal else "approved"
    return Request(
        {"click_id": c.identifier, "txid": c.transaction, "payout": c.amount, "status": status, "token": secret}
    )


def buygoods(c: Conversion, secret: str, url: str) -> Request:
    form = {
        "subid": c.identifier,
        "order_id_global": c.transaction,
        "aff_commission": c.amount,
        "action_type": "refund" if c.reversal else "neworder",
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Request({}, headers, urlencode(form).encode())


def ayet(c: Conversion, secret: str, url: str) -> Request:
    query = {
        "transaction_id": ("r-" if c.reversal else "") + c.transaction,
        "external_identifier": c.identifier,
        "currency_amount": f"-{c.amount}" if c.reversal else c.amount,
        "payout_usd": "-1.5" if c.reversal else "1.5",
        "offer_name": "TEST OFFER ~ (ü)",
        "is_chargeback": "1" if c.reversal else "0",
    }
    text = "&".join(f"{name}={quote_plus(query[name]).replace('~', '%7E')}" for name in sorted(query))
    return Request(query, {"X-Ayetstudios-Security-Hash": mac("sha256", secret, text)})


def bitlabs(c: Conversion, secret: str, url: str) -> Request:
    query = {"uid": c.identifier, "val": c.amount, "raw": "0.5", "tx": c.transaction, "state": "COMPLETED"}
    if c.reversal:
        query |= {"tx": f"rec-{c.transaction}", "ref": c.transaction, "val": f"-{c.amount}", "state": "RECONCILIATION"}
    return Request(query | {"hash": mac("sha1", secret, f"{url}?{urlencode(query)}")})


def adgem_v2(c: Conversion, secret: str, url: str) -> Request:
    query = {"player_id": c.identifier, "amount": c.amount, "payout": "1.5", "transaction_id": c.transaction}
    return Request(query | {"verifier": mac("sha256", secret, f"{url}?{urlencode(query)}")})


def adgem_v3(c: Conversion, secret: str, url: str) -> Request:
    notice = {"player_id": c.identifier, "amount": float(c.amount), "conversion_id": c.transaction, "payout": 1.5}
    body = json.dumps(notice | {"conversion_type": "reward"}).encode()
    return Request({}, {"Signature": mac("sha256", secret, body), "content-type": "application/json"}, body)


def adgate(c: Conversion, secret: str, url: str) -> Request:
    state = {"state": "rejected"} if c.reversal else {}
    return Request({"s1": c.identifier, "conversion_id": c.transaction, "points": c.amount, "payout": "1"} | state)


def lootably(c: Conversion, secret: str, url: str) -> Request:
    query = {
        "userID": c.identifier,
        "ip": "203.0.113.9",
        "revenue": "0.4",
        "currencyReward": c.amount,
        "transactionID": c.transaction,
        "status": "0" if c.reversal else "1",
    }
    text = query["userID"] + query["ip"] + query["revenue"] + query["currencyReward"] + secret
    return Request(query | {"hash": hashlib.sha256(text.encode()).hexdigest()})


def torox(c: Conversion, secret: str, url: str) -> Request:
    sign = "-" if c.reversal else ""
    query = {
        "user_id": c.identifier,
        "id": c.transaction,
        "amount": sign + c.amount,
        "payout": sign + "1",
        "oid": "778",
    }
    return Request(query | {"sig": md5(f"778-{c.identifier}-{secret}")})


def wannads(c: Conversion, secret: str, url: str) -> Request:
    query = {
        "subId": c.identifier,
        "transId": f"{c.transaction}-{'back' if c.reversal else 'forth'}",
        "uuid": c.transaction,
        "reward": c.amount,
        "payout": "1",
        "status": "2" if c.reversal else "1",
    }
    return Request(query | {"signature": md5(query["subId"] + query["transId"] + query["reward"] + secret)})


def tapjoy(c: Conversion, secret: str, url: str) -> Request:
    query = {"snuid": c.identifier, "id": c.transaction, "currency": c.amount}
    return Request(query | {"verifier": md5(f"{c.transaction}:{c.identifier}:{c.amount}:{secret}")})


def pubscale(c: Conversion, secret: str, url: str) -> Request:
    query = {"user_id": c.identifier, "value": f"{c.amount}.0", "token": c.transaction}
    return Request(query | {"signature": md5(f"{secret}.{c.identifier}.{int(c.amount)}.{c.transaction}")})


def notik(c: Conversion, secret: str, url: str) -> Request:
    query = {"user_id": c.identifier, "txn_id": c.transaction, "amount": c.amount, "payout": "1"}
    if c.reversal:
        query |= {"txn_id": f"x-{c.transaction}", "rewarded_txn_id": c.transaction, "amount": f"-{c.amount}"}
    return Request(query | {"hash": mac("sha1", secret, f"{url}?{urlencode(query)}")})


def cpx(c: Conversion, secret: str, url: str) -> Request:
    query = {"user_id": c.identifier, "trans_id": c.transaction, "amount_local": c.amount, "amount_usd": "1"}
    status = {"status": "2" if c.reversal else "1"}
    return Request(query | status | {"hash": md5(f"{c.transaction}-{secret}")})


def kiwiwall(c: Conversion, secret: str, url: str) -> Request:
    query = {
        "sub_id": c.identifier,
        "trans_id": c.transaction,
        "amount": c.amount,
        "status": "2" if c.reversal else "1",
    }
    return Request(query | {"signature": md5(f"{c.identifier}:{c.amount}:{secret}")})


def keitaro(c: Conversion, secret: str, url: str) -> Request:
    status = "storno" if c.reversal else "deposit"
    remaps = {"lead_status": "reg", "sale_status": "deposit,ftd", "rejected_status": "storno"}
    return Request({"subid": c.identifier, "tid": c.transaction, "payout": c.amount, "status": status} | remaps)


def voluum(c: Conversion, secret: str, url: str) -> Request:
    return Request({"cid": c.identifier, "txid": c.transaction, "payout": c.amount, "et": "deposit"})


def tune(c: Conversion, secret: str, url: str) -> Request:
    status = {"status": "rejected"} if c.reversal else {}
    query = {"transaction_id": c.identifier, "adv_sub": c.transaction, "amount": c.amount, "security_token": secret}
    return Request(query | status)


def clickbank(c: Conversion, secret: str, url: str) -> Request:
    notice = {
        "version": 8.0,
        "transactionType": "RFND" if c.reversal else "SALE",
        "receipt": c.transaction,
        "role": "AFFILIATE",
        "affiliate": "testaff",
        "totalAccountAmount": -float(c.amount) if c.reversal else float(c.amount),
        "currency": "USD",
        "trackingCodes": [c.identifier.replace("-", "")],
        "attemptCount": 1,
    }
    return sealed(notice, secret)


def sealed(notice: Any, secret: str) -> Request:
    body = json.dumps(clickbank_notices.sealed(notice, secret)).encode()
    return Request({}, {"content-type": "application/json"}, body)


NETWORKS = [
    Network("generic", generic, accepted=None, fields={"secret": "generic-secret"}),
    Network("clickbank", clickbank, fields={"secret": "RICOCHETTEST1234"}),
    Network("buygoods", buygoods, is_signed=False),
    Network("ayet", ayet),
    Network("bitlabs", bitlabs),
    Network("adgem_v2", adgem_v2, can_reverse=False),
    Network("adgem_v3", adgem_v3, can_reverse=False),
    Network("adgate", adgate, is_signed=False),
    Network("lootably", lootably, accepted="1"),
    Network("torox", torox, accepted="1"),
    Network("wannads", wannads, duplicate="DUP"),
    Network("tapjoy", tapjoy, can_reverse=False),
    Network("pubscale", pubscale, can_reverse=False),
    Network("notik", notik, accepted="1"),
    Network("cpx", cpx, accepted="1"),
    Network("kiwiwall", kiwiwall, accepted="1"),
    Network("keitaro", keitaro, is_signed=False),
    Network("voluum", voluum, is_signed=False, can_reverse=False),
    Network("tune", tune, accepted="success=true;"),
]
