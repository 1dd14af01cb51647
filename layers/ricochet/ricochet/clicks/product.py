"""A product: something a user can earn from."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from enum import StrEnum

from ricochet.values.entity import Entity
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Currency, Price
from ricochet.values.statuses import Status


class AuthMode(StrEnum):
    """How an advertiser's postback proves where it comes from; a click id alone proves nothing."""

    SECRET = "secret"  # noqa: S105 - the name of a mode
    IP = "ip"
    SIGNATURE = "signature"
    OPEN = "open"


class Approval(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"


class PostbackAuth(Entity):
    mode: AuthMode = AuthMode.SECRET
    allowed_cidrs: tuple[str, ...] = ()


class Caps(Entity):
    """What may be credited without a person looking; None: any."""

    per_user: int | None = None
    per_user_per_day: int | None = None  # UTC, like all days
    per_day: int | None = None
    min_seconds: int | None = None
    """From the click to the postback that approves."""


class Product(Entity):
    product_id: str
    name: str
    task_url: str
    allowed_hosts: tuple[str, ...]  # `host` or `host:port`
    earn_up_to: Price
    currency: Currency
    click_ttl_hours: int = 24
    postback_auth: PostbackAuth = PostbackAuth()
    postback_token_hash: str | None = None
    postback_secret: str | None = None  # what signatures are made with, so not hashed
    approval: Approval | None = None
    default_status: Status = Status.APPROVED
    multiple_conversions: bool = False
    referral_rate: Price | None = None
    hold_days: int = 0
    caps: Caps = Caps()
    status: Lifecycle = Lifecycle.ACTIVE
    revision: int = 1
    created_at: str
    updated_at: str

    @property
    def effective_approval(self) -> Approval:
        """Anyone can post to an open product, so its earnings wait for a person unless it says otherwise."""
        if self.approval is not None:
            return self.approval
        return Approval.MANUAL if self.postback_auth.mode is AuthMode.OPEN else Approval.AUTO

    def commission_rate(self, default: Decimal) -> Decimal:
        return default if self.referral_rate is None else self.referral_rate


def hash_token(token: str) -> str:
    """Tokens are ours and random, so one SHA-256 is enough; only the hash is stored."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
