"""AdGem, postback version 3: a JSON body, signed in a header (documented)."""

from ricochet.intake import signatures
from ricochet.intake.preset import Preset, Reads
from ricochet.intake.presets.adgem_v2 import other_kind

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
    proof=signatures.hmac_of_body("signature", "sha256"),
    reads=Reads.BODY,
    needs_secret=True,
    only_receipt=other_kind,
)
