"""KiwiWall (known from public integrations only)."""

from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset
from ricochet.values.statuses import Status

PRESET = Preset(
    title="KiwiWall",
    fields={
        "click_id": ("sub_id", "user_id"),
        "user_id": ("sub_id", "user_id"),
        "transaction_id": ("trans_id",),
        "amount": ("amount",),
        "status": ("status",),
        "offer_id": ("offer_id",),
    },
    proof=signatures.digest_of("signature", "md5", signatures.joined(("sub_id", "amount"), ":")),
    needs_secret=True,
    statuses={"1": Status.APPROVED, "2": Status.REVERSED},
    knows_common_names=False,
    acknowledgement=lambda _: Acknowledgement("1"),
    paste="sub_id={sub_id}&trans_id={trans_id}&amount={amount}&status={status}&signature={signature}",
    beta=True,
)
