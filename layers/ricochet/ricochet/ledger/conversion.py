"""A conversion: one event at an advertiser, in its latest version."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import computed_field

from ricochet.values import ids
from ricochet.values.entity import Entity
from ricochet.values.money import Amount, Currency, Price
from ricochet.values.statuses import Status

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

    version: int
    status: Status
    source_status: str
    amount: Amount
    payout: Price | None = None
    at: str  # since when
    changed_by: str | None = None


class Conversion(Entity):
    conversion_id: str
    source: str
    source_conversion_id: str | None = None
    transaction_id: str | None = None
    event: str | None = None
    network_id: str | None = None
    status: Status
    source_status: str
    reported: Status  # what its source reports; `status` lags behind while the money is held
    reports: tuple[str, ...] = ()  # keys of the reports that were applied
    hold_reason: HoldReason | None = None
    is_tombstone: bool | None = None  # reversed before it was reported
    is_rebill: bool | None = None
    version: int
    versions: tuple[PastVersion, ...] = ()  # all earlier ones, oldest first
    version_at: str | None = None  # since when, unless this is the first
    changed_by: str | None = None  # who made the present version, as in `Report`
    click_id: str | None = None  # as the source sent it, whether or not it is one of ours
    user_id: str | None = None  # None: credits nobody
    product_id: str | None = None
    offer_id: str | None = None
    offer_name: str | None = None  # the product's name at that time
    amount: Amount
    payout: Price | None = None
    currency: Currency
    credited: Amount = Decimal(0)  # net of reversals
    credited_at: str | None = None  # the first time; the referrer at that time gets the commission
    owed: Amount = Decimal(0)  # approved, and credited at `credit_after`; net of reversals
    credit_after: str | None = None
    referral_rate: Price = Decimal(0)
    earning_id: str | None = None
    subid: str | None = None
    sub1: str | None = None
    sub2: str | None = None
    sub3: str | None = None
    sub4: str | None = None
    sub5: str | None = None
    prelanding: str | None = None
    landing: str | None = None
    px: str | None = None
    domain: str | None = None
    country: str | None = None
    ip: str | None = None
    created_at: str
    updated_at: str

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

    def is_due(self, earning_id: str, moment: str) -> bool:
        """Whether this row is the conversion's present one and its owed amount must be credited by now."""
        return self.earning_id == earning_id and self.credit_after is not None and self.credit_after <= moment

    @property
    def as_past(self) -> PastVersion:
        return PastVersion(
            version=self.version,
            status=self.status,
            source_status=self.source_status,
            amount=self.amount,
            payout=self.payout,
            at=self.since,
            changed_by=self.changed_by,
        )


def day_shards(day: str) -> list[str]:
    """Return every partition of the index `byDay` for one day, such as 2026-11-21."""
    return [f"{day}#{number}" for number in range(DAY_SHARDS)]
