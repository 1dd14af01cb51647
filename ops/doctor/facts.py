"""Plain facts about a stack: `ops.doctor.observe` looks them up, `ops.doctor.judge` judges them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import PartnerHealth


@dataclass(frozen=True)
class Deployment:
    status: str
    api_url: str | None  # None: no deployment has succeeded yet
    answer: str = ""  # the API's answer to a harmless request
    works: bool = False


@dataclass(frozen=True)
class Trigger:
    """A queue, stream or schedule that makes a function run."""

    name: str
    state: str
    last_result: str = ""  # empty if AWS does not report one


@dataclass(frozen=True)
class Endpoint:
    """A server that partners' postbacks go to, and whether it accepts connections."""

    target: str  # host:port
    partners: tuple[str, ...]
    error: str | None = None  # None: it accepts connections
    is_demo: bool = False


@dataclass(frozen=True)
class SourceReceipts:
    """The latest receipts of one product or network."""

    source: str  # `product:<id>` or `network:<id>`
    last_at: str | None = None
    accepted: int = 0  # of the latest receipts, within a day
    refused: dict[str, int] = field(default_factory=dict)  # outcome -> count, of the same receipts


@dataclass(frozen=True)
class OpenDeliveries:
    retrying: tuple[Delivery, ...] = ()
    parked: tuple[Delivery, ...] = ()
    is_all: bool = True  # False: there are more deliveries than were read
    partners: tuple[Partner, ...] = ()
    health: dict[str, PartnerHealth] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    name: str  # its output in the template, without `QueueUrl`
    visible: int
    in_flight: int
    delayed: int
    oldest_seconds: float | None = None  # None: CloudWatch has no value


@dataclass(frozen=True)
class Alarm:
    name: str
    description: str
    state: str
    since: str
