"""AdGate (documented): the key in the path, and the vendor's address in the network's CIDRs."""

from ricochet.intake.preset import Preset

PRESET = Preset(
    title="AdGate",
    fields={
        "click_id": ("s1",),
        "user_id": ("s1",),
        "transaction_id": ("conversion_id",),
        "amount": ("points",),
        "payout": ("payout",),
        "status": ("state",),
        "offer_id": ("offer_id",),
    },
    paste="s1={s1}&conversion_id={conversion_id}&points={points}&payout={payout}&state={state}&offer_id={offer_id}",
)
