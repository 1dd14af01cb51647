"""CPX Research (known from public integrations only)."""

from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset
from ricochet.values.statuses import Status

PRESET = Preset(
    title="CPX Research",
    fields={
        "click_id": ("user_id",),
        "user_id": ("user_id",),
        "transaction_id": ("trans_id",),
        "amount": ("amount_local",),
        "payout": ("amount_usd",),
        "status": ("status",),
        "offer_id": ("offer_id",),
    },
    proof=signatures.digest_of("hash", "md5", signatures.joined(("trans_id",), "-")),
    needs_secret=True,
    needs_vouching=True,
    statuses={"1": Status.APPROVED, "2": Status.REVERSED},
    knows_common_names=False,
    acknowledgement=lambda _: Acknowledgement("1"),
    paste=(
        "user_id={user_id}&trans_id={trans_id}&amount_local={amount_local}&amount_usd={amount_usd}&status={status}"
        "&hash={secure_hash}"
    ),
    beta=True,
)
