"""A product: something a user can earn from."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from ricochet.values.entity import Entity, PageView, Secret, Shown, View
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Currency, Price
from ricochet.values.statuses import Status
from ricochet.values.times import Moment


class AuthMode(StrEnum):
    """How an advertiser's postbacks are authenticated; a click id alone proves nothing."""

    SECRET = "secret"  # noqa: S105 - the name of a mode
    IP = "ip"
    SIGNATURE = "signature"
    OPEN = "open"


class Approval(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"


class PostbackAuth(Entity):
    mode: Shown[AuthMode] = AuthMode.SECRET
    allowed_cidrs: Shown[tuple[str, ...]] = ()


class Caps(Entity):
    """Limits up to which conversions are credited without review; None: no limit."""

    per_user: Shown[int | None] = None
    per_user_per_day: Shown[int | None] = None  # UTC, like all days
    per_day: Shown[int | None] = None
    min_seconds: Shown[int | None] = None
    """From the click to the postback that approves."""


class Product(Entity):
    product_id: Shown[str]
    name: Shown[str]
    task_url: Shown[str]
    allowed_hosts: Shown[tuple[str, ...]]  # `host` or `host:port`
    earn_up_to: Shown[Price]
    currency: Shown[Currency]
    click_ttl_hours: Shown[int] = 24
    postback_auth: Shown[PostbackAuth] = PostbackAuth()
    postback_token_hash: Secret[str | None] = None
    postback_secret: Secret[str | None] = None  # signs postbacks, so it cannot be hashed
    approval: Shown[Approval | None] = None
    default_status: Shown[Status] = Status.APPROVED
    multiple_conversions: Shown[bool] = False
    referral_rate: Shown[Price | None] = None
    hold_days: Shown[int] = 0
    caps: Shown[Caps] = Caps()
    status: Shown[Lifecycle] = Lifecycle.ACTIVE
    revision: int = 1
    created_at: Shown[Moment]
    updated_at: Shown[Moment]

    @property
    def effective_approval(self) -> Approval:
        """Anyone can post to an open product, so its earnings wait for a person unless it says otherwise."""
        if self.approval is not None:
            return self.approval
        return Approval.MANUAL if self.postback_auth.mode is AuthMode.OPEN else Approval.AUTO

    def commission_rate(self, default: Decimal) -> Decimal:
        return default if self.referral_rate is None else self.referral_rate


class Offer(View):
    """A product as users see it."""

    product_id: str
    name: str
    task_url: str
    earn_up_to: Price
    currency: Currency
    click_ttl_hours: int


class Offers(PageView[Offer]):
    items: tuple[Offer, ...] = Field(alias="products")


def hash_token(token: str) -> str:
    """Tokens are ours and random, so one SHA-256 is enough; only the hash is stored."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
