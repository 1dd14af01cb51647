"""Keitaro and similar trackers (documented): the query itself says which status names mean what, and what to answer."""

from ricochet.intake.preset import Acknowledgement, Fields, Preset
from ricochet.values.statuses import Status

REMAPS = {
    "lead_status": Status.PENDING,
    "sale_status": Status.APPROVED,
    "rejected_status": Status.REJECTED,
}


def _remapped(fields: Fields) -> dict[str, Status]:
    """Status names that this postback explains: `sale_status=deposit,ftd` makes `deposit` a sale."""
    return {
        name.strip().lower(): status
        for parameter, status in REMAPS.items()
        for name in str(fields.get(parameter, "")).split(",")
        if name.strip()
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
    explained_statuses=_remapped,
    acknowledgement=lambda fields: Acknowledgement(str(fields.get("return", "OK"))[:64]),
    paste="subid={subid}&tid={tid}&status={status}&payout={payout}&currency={currency}",
)
