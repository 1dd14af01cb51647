"""What partners receive about a conversion: one notice for each version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from pydantic import ConfigDict, model_validator

from ricochet.clicks.tags import Tags
from ricochet.ledger.conversion import Conversion, PastVersion
from ricochet.values.entity import Entity, Shown
from ricochet.values.statuses import Status
from ricochet.values.times import Moment


class NoticeFacts(Entity):
    """What a notice says of the conversion itself."""

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


class Notice(Tags, NoticeFacts):
    """What a partner is sent of one version of a conversion; each attribute is a macro of the same name."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    ip: Shown[str] = ""
    timestamp: Shown[Moment]

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_missing(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Fill in empty text for what the click or the conversion does not have."""
        known = {name: value for name, value in fields.items() if value is not None}
        return dict.fromkeys(Tags.model_fields, "") | known

    @classmethod
    def of(cls, conversion: Conversion) -> Self:
        return cls.from_entity(
            conversion,
            original_status=conversion.source_status,
            payout=_paid(conversion),
            conversion_id=conversion.shown_id,
            network=conversion.network_id,
            timestamp=conversion.since,
        )

    def as_of(self, past: PastVersion) -> Self:
        """Return the notice of an earlier version of the same conversion."""
        return self.with_changes(
            status=past.status, original_status=past.source_status, payout=_paid(past), timestamp=past.at
        )


def _paid(version: Conversion | PastVersion) -> str:
    return format(version.amount if version.payout is None else version.payout, "f")


@dataclass(frozen=True)
class VersionNotice:
    """One version of a conversion with its notice."""

    version: int
    notice: Notice
    changed_by: str | None = None


def versions_of(conversion: Conversion) -> list[VersionNotice]:
    """Return every version that partners receive, the oldest first.

    They do not receive the reversal of a sale that was never reported.
    """
    present = Notice.of(conversion)
    versions = [VersionNotice(past.version, present.as_of(past), past.changed_by) for past in conversion.versions]
    versions.append(VersionNotice(conversion.version, present, conversion.changed_by))
    return [one for one in versions if one.version > 1 or one.notice.status is not Status.REVERSED]
