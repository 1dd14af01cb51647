"""PubScale (documented). Its signature rounds the value down to a whole number; there are no reversals."""

from ricochet.errors import InvalidAmountError
from ricochet.intake import signatures
from ricochet.intake.preset import Fields, Preset
from ricochet.values.money import parse_amount


def _signed(fields: Fields, secret: str) -> str:
    try:
        value = str(int(parse_amount(fields.get("value"))))
    except InvalidAmountError:
        value = ""
    return f"{secret}.{fields.get('user_id', '')}.{value}.{fields.get('token', '')}"


PRESET = Preset(
    title="PubScale",
    fields={
        "click_id": ("user_id",),
        "user_id": ("user_id",),
        "transaction_id": ("token",),
        "amount": ("value",),
    },
    proof=signatures.digest_of("signature", "md5", _signed),
    needs_secret=True,
    secret_fields=frozenset(),  # `token` is the transaction here
    paste="user_id={user_id}&value={value}&token={token}&signature={signature}",
)
