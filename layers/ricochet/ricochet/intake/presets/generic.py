"""Any network or tracker that can be given a URL with macros."""

from ricochet.intake.preset import Acknowledgement, Preset

PRESET = Preset(
    title="Generic",
    fields={
        "click_id": ("click_id", "subid", "clickid"),
        "user_id": ("user_id",),
        "transaction_id": ("transaction_id", "txid", "txn_id", "conversion_id"),
        "amount": ("amount",),
        "payout": ("payout", "sum", "revenue"),
        "currency": ("currency",),
        "status": ("status",),
        "event": ("event",),
        "offer_id": ("offer_id",),
    },
    acknowledgement=lambda _: Acknowledgement(
        '{"success":true,"message":"Postback received"}', content_type="application/json"
    ),
    paste="click_id={click_id}&status={status}&payout={payout}&transaction_id={transaction_id}&offer_id={offer_id}",
)
