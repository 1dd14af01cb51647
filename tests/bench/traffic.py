"""Realistic requests, the same in every run, as API Gateway sends them to functions (payload format 2.0)."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from ricochet.clicks.product import PostbackAuth, Product, hash_token

CLICKS = 301
TOKEN = "ptk_3f9Zb1kQ8sXw2LrT6yVn0mHc5dJe7gAp"
_HOSTS = ("go.lunarads-network.com", "track.adsbridge-partners.io", "play.google.com", "r.surveyhaus.co.uk")
_PATHS = ("/click", "/aff_c", "/store/apps/details", "/en/offers/2026/spring/start")
_PARAMETERS = {
    "offer_id": "{number}",
    "aff_id": "{number}",
    "utm_source": "rewards_app",
    "utm_medium": "offerwall",
    "utm_campaign": "us_ios_lal3_2026w04",
    "gaid": "{uuid}",
    "id": "com.moonforge.kingdoms.idle",
    "af_siteid": "{number}_{number}",
    "referrer": "adjust_reftag%3Dc{hex}%26utm_content%3Dbanner",
    "deep_link_value": "moonforge%3A%2F%2Fwelcome%3Fref%3D{hex}",
    "clickid": "{hex}{hex}",
    "creative": "video_15s_v{number}",
    "sig": "{hex}{hex}{hex}{hex}",
}
_USER_AGENTS = """\
Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 \
Mobile/15E148 Safari/604.1
Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \
Chrome/131.0.6778.135 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/493.0.0.51.72;]
Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36
RewardsApp/4.18.2 (com.example.rewards; build:2207; iOS 18.1.1) Alamofire/5.9.1
okhttp/4.12.0
""".splitlines()
_TAGS = {  # share of clicks that have it, and its format
    "offerId": (0.7, "offer-{number}"),
    "subid": (0.6, "{uuid}"),
    "sub1": (0.45, "ios_us_{number}"),
    "sub2": (0.25, "{hex}"),
    "sub3": (0.12, "adset-{number}-lookalike"),
    "sub4": (0.05, "creative_{number}"),
    "sub5": (0.03, "v{number}"),
    "landing": (0.15, "spring-sale-b"),
    "prelanding": (0.1, "quiz-{number}"),
    "px": (0.1, "{number}"),
    "domain": (0.2, "rewards.example.com"),
}
_NOW = "2026-01-01T00:00:00.000Z"

PRODUCT = Product(
    product_id="prod_8vr2k0xq3m5t",
    name="Moonforge Kingdoms: reach level 12",
    task_url=f"https://{_HOSTS[0]}/click?offer_id=1",
    allowed_hosts=_HOSTS,
    earn_up_to=Decimal(100),
    currency="USD",
    postback_auth=PostbackAuth(),
    postback_token_hash=hash_token(TOKEN),
    created_at=_NOW,
    updated_at=_NOW,
)


@dataclass(frozen=True)
class Visitor:
    """A user with a device, the click, and the conversion that the advertiser will report."""

    user_id: str
    ip: str
    user_agent: str
    body: dict[str, str]
    conversion: dict[str, Any]
    by_get: bool

    def click(self) -> dict[str, Any]:
        route = "/api/v1/earn/products/{productId}/click"
        return _event("POST", route, self, {"productId": PRODUCT.product_id}, body=self.body)

    def track(self, click_id: str) -> dict[str, Any]:
        return _event("GET", "/api/v1/earn/track/{clickId}", self, {"clickId": click_id}, signed_in=False)

    def read(self, resource: str, **parameters: str) -> dict[str, Any]:
        return _event("GET", f"/api/v1/earn/{resource}", self, parameters)

    def postback(self, click_id: str) -> dict[str, Any]:
        """Return the advertiser's event: half of them post JSON, half put everything in the query."""
        route, advertiser = "/api/v1/earn/postback", _ADVERTISER
        if self.by_get:
            query = {"click_id": click_id, "token": TOKEN, **self.conversion}
            return _event("GET", route, advertiser, {}, query=query, signed_in=False)
        headers = {"x-postback-token": TOKEN}
        body = self.conversion | {"amount": float(self.conversion["amount"])}
        return _event(
            "POST", route, advertiser, {}, query={"click_id": click_id}, body=body, headers=headers, signed_in=False
        )


_ADVERTISER = Visitor("", "198.51.100.24", "Offer18-Postback/2.4 (+https://offer18.example/bot)", {}, {}, by_get=False)


def visitors() -> list[Visitor]:
    chance = random.Random(11)
    return [_visitor(chance, number) for number in range(CLICKS)]


def _visitor(chance: random.Random, number: int) -> Visitor:
    tags = {name: _fill(chance, pattern) for name, (share, pattern) in _TAGS.items() if chance.random() < share}
    conversion = {
        "amount": f"{chance.randrange(25, 9_900) / 100:.2f}",
        "status": chance.choice(("approved", "completed", "sale")),
        "transactionId": str(_uuid(chance)),
        "currency": "USD",
    }
    if chance.random() < 0.5:
        conversion |= {"conversionId": _fill(chance, "conv_{hex}"), "event": "level_12"}
    return Visitor(
        user_id=str(_uuid(chance)),
        ip=chance.choice(("203.0.113.87", "2001:db8:85a3:8d3:1319:8a2e:370:7348")),
        user_agent=chance.choice(_USER_AGENTS),
        body={"taskUrl": _task_url(chance, round(chance.triangular(60, 450, 140)))} | tags,
        conversion=conversion,
        by_get=number % 2 == 1,
    )


def _task_url(chance: random.Random, length: int) -> str:
    url = f"https://{chance.choice(_HOSTS)}{chance.choice(_PATHS)}?"
    names = chance.sample(sorted(_PARAMETERS), len(_PARAMETERS))
    url += "&".join(f"{name}={_fill(chance, _PARAMETERS[name])}" for name in names)
    return url[:length].rstrip("%&=")


def _fill(chance: random.Random, pattern: str) -> str:
    return pattern.format(
        number=chance.randrange(100, 99_999), hex=f"{chance.getrandbits(64):016x}", uuid=_uuid(chance)
    )


def _uuid(chance: random.Random) -> UUID:
    return UUID(int=chance.getrandbits(128), version=4)


def _event(
    method: str,
    route: str,
    sender: Visitor,
    parameters: dict[str, str],
    *,
    query: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    signed_in: bool = True,
) -> dict[str, Any]:
    path = route.format_map(parameters)
    domain = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": {
            "accept": "*/*",
            "accept-encoding": "gzip",
            "content-type": "application/json",
            "host": domain,
            "user-agent": sender.user_agent,
            "x-amzn-trace-id": "Root=1-67a1b2c3-0a1b2c3d4e5f60718293a4b5",
            "x-forwarded-for": sender.ip,
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **(headers or {}),
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3d4e5",
            "domainName": domain,
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": sender.ip,
                "userAgent": sender.user_agent,
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": f"{method} {route}",
            "stage": "$default",
            "time": "31/Jan/2026:09:30:00 +0000",
            "timeEpoch": 1769851800000,
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = query
    if parameters:
        event["pathParameters"] = parameters
    if body is not None:
        event["body"] = json.dumps(body)
    if signed_in:
        claims = {"sub": sender.user_id, "token_use": "access", "client_id": "3n4b5urk1ft4fl3mg5e62d9ado"}
        event["headers"]["authorization"] = f"Bearer {'x' * 900}"
        event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    return event
