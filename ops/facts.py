"""What the doctor goes by: plain facts about a stack, looked up by `ops.examine` and judged by `ops.diagnosis`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import PartnerHealth


@dataclass(frozen=True)
class Deployment:
    status: str
    api_url: str | None  # None: no deployment has gone through yet
    answer: str = ""  # what the API said to a harmless question
    works: bool = False


@dataclass(frozen=True)
class Trigger:
    """What makes a function run: a queue, a stream, a schedule."""

    name: str
    state: str
    result: str = ""  # of its last run, where AWS tells


@dataclass(frozen=True)
class Reach:
    """Whether anybody takes connections where partners want to be told."""

    target: str  # host:port
    partners: tuple[str, ...]
    error: str | None = None
    is_demo: bool = False


@dataclass(frozen=True)
class SourceReceipts:
    """The latest receipts of one product or network."""

    source: str  # `product:<id>` or `network:<id>`
    last_at: str | None = None
    accepted: int = 0  # of the latest within a day
    refused: dict[str, int] = field(default_factory=dict)  # outcome -> how many, of the same


@dataclass(frozen=True)
class OpenDeliveries:
    retrying: tuple[Delivery, ...] = ()
    parked: tuple[Delivery, ...] = ()
    is_all: bool = True  # False: there are more than were looked at
    partners: tuple[Partner, ...] = ()
    health: dict[str, PartnerHealth] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    name: str  # its output in the template, without `QueueUrl`
    visible: int
    in_flight: int
    delayed: int
    oldest_seconds: float | None = None  # None: CloudWatch does not say


@dataclass(frozen=True)
class Alarm:
    name: str
    description: str
    state: str
    since: str
