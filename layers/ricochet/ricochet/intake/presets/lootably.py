"""Lootably (documented; the status from integrations). Its hash leaves out the transaction and the status."""

from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset
from ricochet.values.statuses import Status

PRESET = Preset(
    title="Lootably",
    fields={
        "click_id": ("userID",),
        "user_id": ("userID",),
        "transaction_id": ("transactionID",),
        "amount": ("currencyReward",),
        "payout": ("revenue",),
        "status": ("status",),
        "offer_id": ("offerID",),
    },
    proof=signatures.digest_of("hash", "sha256", signatures.joined(("userID", "ip", "revenue", "currencyReward"))),
    needs_secret=True,
    statuses={"1": Status.APPROVED, "0": Status.REVERSED},
    knows_common_names=False,
    acknowledgement=lambda _: Acknowledgement("1"),
    paste=(
        "userID={userID}&transactionID={transactionID}&ip={ip}&revenue={revenue}&currencyReward={currencyReward}"
        "&status={status}&hash={hash}"
    ),
)
