"""TUNE (HasOffers) and trackers in its style (documented): `transaction_id` is the click here."""

from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset

PRESET = Preset(
    title="TUNE style",
    fields={
        "click_id": ("transaction_id",),
        "user_id": ("transaction_id",),
        "transaction_id": ("adv_sub",),
        "payout": ("amount",),
        "status": ("status",),
        "event": ("goal_id",),
        "offer_id": ("offer_id",),
    },
    proof=signatures.token("security_token"),
    needs_secret=True,
    secret_fields=frozenset({"security_token"}),
    acknowledgement=lambda _: Acknowledgement("success=true;", refusal="success=false; err_msg={error};"),
    paste="transaction_id={transaction_id}&adv_sub={adv_sub}&amount={amount}&security_token=YOUR_SECRET",
)
