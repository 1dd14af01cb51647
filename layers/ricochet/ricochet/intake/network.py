"""A network: an outside source that posts conversions to `/postback/{uniqueKey}`."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address, ip_network

from ricochet.values.entity import Entity
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Price
from ricochet.values.statuses import Status


class CreditBy(StrEnum):
    """Which user a network's conversions credit."""

    CLICK = "click"  # the user of the click that it names
    USER = "user"  # the user that it names, as offerwalls do
    NONE = "none"


class Network(Entity):
    unique_key: str
    network_id: str | None = None  # absent from a key that was replaced
    name: str = ""
    preset: str = "generic"
    secret: str | None = None
    affiliate: str | None = None  # our account at ClickBank: notices for other accounts are receipts only
    allowed_cidrs: tuple[str, ...] = ()
    param_map: dict[str, tuple[str, ...]] = {}
    status_map: dict[str, Status] = {}
    default_status: Status | None = None
    reward_rate: Price | None = None
    credit_by: CreditBy = CreditBy.CLICK
    require_known_click: bool = False
    allow_reapproval: bool = False
    status: Lifecycle = Lifecycle.ACTIVE
    successor: str | None = None  # the key that replaced this one, which works until `grace_until`
    grace_until: str | None = None
    ttl: int | None = None
    revision: int = 1
    created_at: str
    updated_at: str

    @property
    def source(self) -> str:
        return f"network:{self.network_id}"

    def allows(self, address: str) -> bool:
        return not self.allowed_cidrs or any(ip_address(address) in ip_network(cidr) for cidr in self.allowed_cidrs)
