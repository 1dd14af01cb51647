"""What partners are told of a conversion: one notice for each version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ricochet.ledger.conversion import Conversion, PastVersion
from ricochet.values.entity import Entity, Shown
from ricochet.values.statuses import Status


class Notice(Entity):
    """What a partner is told: one version of a conversion. Attributes are named as the macros are."""

    click_id: Shown[str] = ""
    status: Shown[Status]
    original_status: Shown[str]
    payout: Shown[str]
    currency: Shown[str]
    offer_id: Shown[str] = ""
    offer_name: Shown[str] = ""
    product_id: Shown[str] = ""
    conversion_id: Shown[str]
    transaction_id: Shown[str] = ""
    user_id: Shown[str] = ""
    network: Shown[str] = ""
    event: Shown[str] = ""
    subid: Shown[str] = ""
    sub1: Shown[str] = ""
    sub2: Shown[str] = ""
    sub3: Shown[str] = ""
    sub4: Shown[str] = ""
    sub5: Shown[str] = ""
    prelanding: Shown[str] = ""
    landing: Shown[str] = ""
    px: Shown[str] = ""
    domain: Shown[str] = ""
    country: Shown[str] = ""
    ip: Shown[str] = ""
    timestamp: Shown[str]

    @classmethod
    def of(cls, conversion: Conversion) -> Self:
        return cls(
            status=conversion.status,
            original_status=conversion.source_status,
            payout=_paid(conversion),
            currency=conversion.currency,
            conversion_id=conversion.shown_id,
            network=conversion.network_id or "",
            timestamp=conversion.since,
            **{name: getattr(conversion, name) or "" for name in _AS_IN_CONVERSION},
        )

    def as_of(self, past: PastVersion) -> Self:
        """The same conversion as it was in an earlier version."""
        return self.with_changes(
            status=past.status, original_status=past.source_status, payout=_paid(past), timestamp=past.at
        )


def _paid(version: Conversion | PastVersion) -> str:
    return format(version.amount if version.payout is None else version.payout, "f")


@dataclass(frozen=True)
class VersionNotice:
    """One version of a conversion as partners are to hear of it."""

    version: int
    notice: Notice
    changed_by: str | None = None


def versions_of(conversion: Conversion) -> list[VersionNotice]:
    """Every version that partners are told of, the oldest first.

    A reversal whose sale nobody has heard of is none.
    """
    present = Notice.of(conversion)
    told = [VersionNotice(past.version, present.as_of(past), past.changed_by) for past in conversion.versions]
    told.append(VersionNotice(conversion.version, present, conversion.changed_by))
    return [one for one in told if one.version > 1 or one.notice.status is not Status.REVERSED]


_AS_IN_CONVERSION = (frozenset(Notice.model_fields) & frozenset(Conversion.model_fields)) - {
    *("status", "payout", "currency", "conversion_id"),
}
