"""AdGem, postback version 3: a JSON body, signed in a header (documented)."""

from ricochet.rules import proofs
from ricochet.rules.preset import Fields, Preset, Reads


def _other_kind(fields: Fields, _affiliate: str | None) -> str | None:
    kind = str(fields.get("conversion_type", "reward"))
    return None if kind.lower() == "reward" else f"conversion_type {kind[:32]}"


PRESET = Preset(
    title="AdGem v3",
    fields={
        "click_id": ("player_id",),
        "user_id": ("player_id",),
        "transaction_id": ("conversion_id", "transaction_id"),
        "amount": ("amount",),
        "payout": ("payout",),
        "offer_id": ("offer_id", "campaign_id"),
    },
    proof=proofs.hmac_of_body("signature", "sha256"),
    reads=Reads.BODY,
    needs_secret=True,
    only_receipt=_other_kind,
    paste="player_id={player_id}&transaction_id={transaction_id}&amount={amount}&payout={payout}&conversion_type={conversion_type}",
)
