"""Torox (documented; reversals from integrations). Its signature leaves out the amount and the transaction."""

from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset

PRESET = Preset(
    title="Torox",
    fields={
        "click_id": ("user_id",),
        "user_id": ("user_id",),
        "transaction_id": ("id",),
        "amount": ("amount",),
        "payout": ("payout",),
        "offer_id": ("oid",),
    },
    proof=signatures.digest_of("sig", "md5", signatures.joined(("oid", "user_id"), "-")),
    needs_secret=True,
    needs_vouching=True,
    acknowledgement=lambda _: Acknowledgement("1"),
    paste="user_id={user_id}&id={id}&amount={amount}&payout={payout}&oid={oid}&sig={sig}",
)
