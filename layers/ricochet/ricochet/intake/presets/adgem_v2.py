"""AdGem, postback version 2: signed in the URL (documented)."""

from ricochet.intake import signatures
from ricochet.intake.preset import Fields, Preset, Reads


def other_kind(fields: Fields) -> str | None:
    kind = str(fields.get("conversion_type", "reward"))
    return None if kind.lower() == "reward" else f"conversion_type {kind[:32]}"


PRESET = Preset(
    title="AdGem v2",
    fields={
        "click_id": ("player_id",),
        "user_id": ("player_id",),
        "transaction_id": ("transaction_id", "conversion_id"),
        "amount": ("amount",),
        "payout": ("payout",),
        "offer_id": ("offer_id", "campaign_id"),
    },
    proof=signatures.hmac_of_url("verifier", "sha256"),
    reads=Reads.QUERY,
    needs_secret=True,
    only_receipt=other_kind,
    paste="player_id={player_id}&transaction_id={transaction_id}&amount={amount}&payout={payout}&conversion_type={conversion_type}",
)
