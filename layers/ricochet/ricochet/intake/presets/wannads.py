"""Wannads (documented). A reversal is positive, with a `transId` of its own and the `uuid` of what it takes back."""

from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset
from ricochet.values.statuses import Status

PRESET = Preset(
    title="Wannads",
    fields={
        "click_id": ("subId",),
        "user_id": ("subId",),
        "transaction_id": ("uuid", "transId"),
        "amount": ("reward",),
        "payout": ("payout",),
        "status": ("status",),
        "offer_id": ("campaign_id",),
    },
    proof=signatures.digest_of("signature", "md5", signatures.joined(("subId", "transId", "reward"))),
    needs_secret=True,
    statuses={"1": Status.APPROVED, "2": Status.REVERSED},
    knows_common_names=False,
    acknowledgement=lambda _: Acknowledgement("OK", duplicate="DUP"),
    paste=(
        "subId={subId}&transId={transId}&uuid={uuid}&reward={reward}&payout={payout}&status={status}"
        "&signature={signature}"
    ),
)
