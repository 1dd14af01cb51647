"""BuyGoods: a URL for each event with a fixed `status` (documented), or its IPN form (seen in integrations)."""

from ricochet.intake.preset import Preset
from ricochet.values.statuses import Status

PRESET = Preset(
    title="BuyGoods",
    fields={
        "click_id": ("subid",),
        "user_id": ("subid",),
        "transaction_id": ("order_id_global", "orderid"),
        "amount": ("aff_commission", "amount"),
        "payout": ("aff_commission", "amount"),
        "status": ("status", "action_type"),
    },
    statuses={
        "neworder": Status.APPROVED,
        "rebill": Status.APPROVED,
        "refund": Status.REVERSED,
        "chargeback": Status.REVERSED,
        "chargebackrefundtime": Status.REVERSED,
    },
    only_receipt=lambda fields: "a test" if str(fields.get("is_test")) == "1" else None,
    paste="subid={SUBID}&order_id_global={ORDERID}&aff_commission={COMMISSION_AMOUNT}&status=neworder",
)
