"""Voluum and trackers in its style (documented): vouched for by address, events in `et`."""

from ricochet.intake.preset import Preset

PRESET = Preset(
    title="Voluum style",
    fields={
        "click_id": ("cid",),
        "user_id": ("cid",),
        "transaction_id": ("txid",),
        "payout": ("payout",),
        "currency": ("currency",),
        "event": ("et",),
    },
    paste="cid={cid}&txid={txid}&payout={payout}&et={et}",
)
