"""A conversion: one event at an advertiser, in its latest version."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import computed_field

from ricochet.clicks.tags import Tags
from ricochet.values import ids
from ricochet.values.entity import Entity, Shown, Unaudited
from ricochet.values.money import Amount, Currency, Price
from ricochet.values.statuses import Status
from ricochet.values.times import Moment

DAY_SHARDS = 4


class HoldReason(StrEnum):
    """Why money that the source has approved waits for a person."""

    MANUAL_APPROVAL = "manual_approval"
    AMOUNT_OVER_CAP = "amount_over_cap"
    CURRENCY_MISMATCH = "currency_mismatch"
    TOO_FAST = "too_fast"
    OVER_USER_CAP = "over_user_cap"
    OVER_USER_DAILY_CAP = "over_user_daily_cap"
    OVER_DAILY_CAP = "over_daily_cap"


class PastVersion(Entity):
    """An earlier version of a conversion: with the rest of it, enough to send that version to partners again."""

    version: Shown[int]
    status: Shown[Status]
    source_status: Shown[str]
    amount: Shown[Amount]
    payout: Shown[Price | None] = None
    at: Shown[Moment]  # since when
    changed_by: Shown[str | None] = None


class ConversionFacts(Entity):
    """What is known of a conversion, apart from its click's tags."""

    conversion_id: Shown[str]
    source: Shown[str]
    source_conversion_id: Shown[str | None] = None
    transaction_id: Shown[str | None] = None
    event: Shown[str | None] = None
    network_id: Shown[str | None] = None
    status: Shown[Status]
    source_status: Shown[str]
    reported: Shown[Status]  # what its source reports; `status` lags behind while the money is held
    reports: tuple[str, ...] = ()  # keys of the reports that were applied
    hold_reason: Shown[HoldReason | None] = None
    is_tombstone: Shown[bool | None] = None  # reversed before it was reported
    is_rebill: Shown[bool | None] = None
    version: Shown[int]
    versions: Unaudited[tuple[PastVersion, ...]] = ()  # all earlier ones, oldest first
    version_at: Unaudited[Moment | None] = None  # since when, unless this is the first
    changed_by: Shown[str | None] = None  # who made the present version, as in `Report`
    click_id: Shown[str | None] = None  # as the source sent it, whether or not it is one of ours
    user_id: Shown[str | None] = None  # None: credits nobody
    product_id: Shown[str | None] = None
    offer_id: Shown[str | None] = None
    offer_name: Shown[str | None] = None  # the product's name at that time
    amount: Shown[Amount]
    payout: Shown[Price | None] = None
    currency: Shown[Currency]
    credited: Shown[Amount] = Decimal(0)  # net of reversals
    credited_at: Shown[Moment | None] = None  # the first time; the referrer at that time gets the commission
    owed: Shown[Amount] = Decimal(0)  # approved, and credited at `credit_after`; net of reversals
    credit_after: Shown[Moment | None] = None
    referral_rate: Shown[Price] = Decimal(0)
    earning_id: Shown[str | None] = None


class Conversion(Tags, ConversionFacts):
    ip: str | None = None
    created_at: Shown[Moment]
    updated_at: Shown[Moment]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def day_shard(self) -> str:
        """The conversion's partition of the index `byDay`: the day of its last change."""
        return ids.pick(self.conversion_id, day_shards(self.updated_at[:10]))

    @property
    def shown_id(self) -> str:
        return self.source_conversion_id or self.conversion_id

    @property
    def since(self) -> str:
        """When its present version began."""
        return self.version_at or self.created_at

    @property
    def waiting(self) -> Decimal:
        """The amount that it adds to the wallet's `pending`."""
        return self.amount if self.status is Status.PENDING else self.owed

    def is_due(self, earning_id: str, moment: Moment) -> bool:
        """Whether this row is the conversion's present one and its owed amount must be credited by now."""
        return self.earning_id == earning_id and self.credit_after is not None and self.credit_after <= moment

    @property
    def as_past(self) -> PastVersion:
        return PastVersion.from_entity(self, at=self.since)


def day_shards(day: str) -> list[str]:
    """Return every partition of the index `byDay` for one day, such as 2026-11-21."""
    return [f"{day}#{number}" for number in range(DAY_SHARDS)]
