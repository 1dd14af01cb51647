"""Keitaro and trackers in its style (documented): the query says itself which words mean what, and what to answer."""

from ricochet.intake.preset import Acknowledgement, Fields, Preset
from ricochet.values.statuses import Status

REMAPS = {
    "lead_status": Status.PENDING,
    "sale_status": Status.APPROVED,
    "rejected_status": Status.REJECTED,
}


def _remapped(fields: Fields) -> dict[str, Status]:
    """Words of this postback's own: `sale_status=deposit,ftd` makes `deposit` a sale."""
    return {
        word.strip().lower(): status
        for parameter, status in REMAPS.items()
        for word in str(fields.get(parameter, "")).split(",")
        if word.strip()
    }


PRESET = Preset(
    title="Keitaro style",
    fields={
        "click_id": ("subid",),
        "user_id": ("subid",),
        "transaction_id": ("tid",),
        "payout": ("payout",),
        "currency": ("currency",),
        "status": ("status",),
    },
    own_words=_remapped,
    acknowledgement=lambda fields: Acknowledgement(str(fields.get("return", "OK"))[:64]),
    paste="subid={subid}&tid={tid}&status={status}&payout={payout}&currency={currency}",
)
