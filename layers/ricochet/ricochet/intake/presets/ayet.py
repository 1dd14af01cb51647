"""ayeT-Studios (documented)."""

from ricochet.intake import signatures
from ricochet.intake.preset import Fields, Preset, Reads

PREFIX = "r-"


def _is_chargeback(fields: Fields) -> bool:
    return str(fields.get("is_chargeback")) == "1"


def _original(fields: Fields) -> str | None:
    """Return the id of the transaction that a chargeback takes back: its own without the prefix."""
    transaction = str(fields.get("transaction_id", ""))
    return transaction.removeprefix(PREFIX) or None


PRESET = Preset(
    title="ayeT-Studios",
    fields={
        "click_id": ("external_identifier",),
        "user_id": ("external_identifier",),
        "transaction_id": ("transaction_id",),
        "amount": ("currency_amount",),
        "payout": ("payout_usd",),
        "offer_id": ("offer_id",),
    },
    proof=signatures.hmac_of_sorted_query("x-ayetstudios-security-hash", "sha256"),
    reads=Reads.QUERY,
    needs_secret=True,
    is_reversal=_is_chargeback,
    reversed_transaction=_original,
    paste=(
        "external_identifier={external_identifier}&transaction_id={transaction_id}&currency_amount={currency_amount}"
        "&payout_usd={payout_usd}&is_chargeback={is_chargeback}&offer_id={offer_id}"
    ),
)
