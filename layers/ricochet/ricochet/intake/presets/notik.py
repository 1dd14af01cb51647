"""Notik (known from public integrations only). A reversal names what it takes back in `rewarded_txn_id`."""

from ricochet.intake import signatures
from ricochet.intake.preset import Acknowledgement, Preset, Reads

PRESET = Preset(
    title="Notik",
    fields={
        "click_id": ("user_id",),
        "user_id": ("user_id",),
        "transaction_id": ("txn_id",),
        "amount": ("amount",),
        "payout": ("payout",),
        "offer_id": ("offer_id",),
    },
    proof=signatures.hmac_of_url("hash", "sha1"),
    reads=Reads.QUERY,
    needs_secret=True,
    reversed_transaction=lambda fields: str(fields["rewarded_txn_id"]) if "rewarded_txn_id" in fields else None,
    acknowledgement=lambda _: Acknowledgement("1"),
    paste="user_id={user_id}&txn_id={txn_id}&amount={amount}&payout={payout}&rewarded_txn_id={rewarded_txn_id}",
    beta=True,
)
