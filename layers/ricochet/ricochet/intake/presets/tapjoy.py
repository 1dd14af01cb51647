"""Tapjoy (documented). `currency` is an amount here; a 403 stops its retries; there are no reversals."""

from ricochet.intake import signatures
from ricochet.intake.preset import Preset

PRESET = Preset(
    title="Tapjoy",
    fields={
        "click_id": ("snuid",),
        "user_id": ("snuid",),
        "transaction_id": ("id",),
        "amount": ("currency",),
    },
    proof=signatures.digest_of("verifier", "md5", signatures.joined(("id", "snuid", "currency"), ":")),
    needs_secret=True,
    paste="snuid={snuid}&id={id}&currency={currency}&verifier={verifier}",
)
