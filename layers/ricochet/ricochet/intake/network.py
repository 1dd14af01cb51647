"""A network: an outside source that posts conversions to `/postback/{uniqueKey}`."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address, ip_network

from ricochet.values.entity import Entity, Masked, Secret, Shown
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Price
from ricochet.values.statuses import Status
from ricochet.values.times import Moment


class CreditBy(StrEnum):
    """Which user a network's conversions credit."""

    CLICK = "click"  # the user of the click that it names
    USER = "user"  # the user that it names, as offerwalls do
    NONE = "none"


class Network(Entity):
    unique_key: Masked[str]
    network_id: Shown[str | None] = None  # absent from a key that was replaced
    name: Shown[str] = ""
    preset: Shown[str] = "generic"
    secret: Secret[str | None] = None
    affiliate: Shown[str | None] = None  # our account there: postbacks for others are only receipts
    allowed_cidrs: Shown[tuple[str, ...]] = ()
    param_map: Shown[dict[str, tuple[str, ...]]] = {}
    status_map: Shown[dict[str, Status]] = {}
    default_status: Shown[Status | None] = None
    reward_rate: Shown[Price | None] = None
    credit_by: Shown[CreditBy] = CreditBy.CLICK
    require_known_click: Shown[bool] = False
    allow_reapproval: Shown[bool] = False
    status: Shown[Lifecycle] = Lifecycle.ACTIVE
    successor: Secret[str | None] = None  # the key that replaced this one, which works until `grace_until`
    grace_until: Moment | None = None
    ttl: int | None = None
    revision: int = 1
    created_at: Shown[Moment]
    updated_at: Shown[Moment]

    @property
    def source(self) -> str:
        return f"network:{self.network_id}"

    def allows(self, address: str) -> bool:
        return not self.allowed_cidrs or any(ip_address(address) in ip_network(cidr) for cidr in self.allowed_cidrs)
