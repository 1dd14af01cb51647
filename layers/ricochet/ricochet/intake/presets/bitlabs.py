"""BitLabs (documented). A reconciliation has an id of its own and names the first one in `ref`."""

from ricochet.intake import signatures
from ricochet.intake.preset import Preset, Reads
from ricochet.values.statuses import Status

PRESET = Preset(
    title="BitLabs",
    fields={
        "click_id": ("uid",),
        "user_id": ("uid",),
        "transaction_id": ("tx",),
        "amount": ("val",),
        "payout": ("usd", "raw"),
        "status": ("state",),
        "offer_id": ("offer_id",),
    },
    proof=signatures.hmac_of_url("hash", "sha1"),
    reads=Reads.QUERY,
    needs_secret=True,
    statuses={
        "pending": Status.PENDING,
        "reviewing": Status.PENDING,
        "completed": Status.APPROVED,
        "complete": Status.APPROVED,
        "rejected": Status.REJECTED,
        "reconciliation": Status.REVERSED,
    },
    knows_common_names=False,
    reversed_transaction=lambda fields: str(fields["ref"]) if "ref" in fields else None,
    paste="uid={uid}&tx={tx}&val={val}&usd={usd}&state={state}&ref={ref}",
)
