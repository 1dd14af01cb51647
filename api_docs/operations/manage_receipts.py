"""/api/v1/admin/receipts."""

from pydantic import RootModel

from api_docs.description import PAGE, Caller, Operation, PageQuery, Success, Tag
from ricochet.errors import (
    ClickAlreadyConvertedError,
    ClickExpiredError,
    ClickIdRequiredError,
    ClickNotFoundError,
    ClickOwnerMismatchError,
    ConflictingReplayError,
    InvalidAmountError,
    InvalidBodyError,
    InvalidClickIdError,
    InvalidCurrencyError,
    InvalidRequestError,
    LedgerBusyError,
    NetworkNotFoundError,
    PostbackNotAuthenticatedError,
    ReceiptIncompleteError,
    ReceiptNotFoundError,
    ReceiptNotReplayableError,
    UnknownStatusError,
)
from ricochet.intake.manage_receipts import OnlyReplayed, ReceiptQuery, Receipts, ReceiptView, Replayed


class ReceiptPageQuery(ReceiptQuery, PageQuery):
    pass


class Replay(RootModel[Replayed | OnlyReplayed]):
    pass


_SUMMARY = {
    "receiptId": "RCPT-019A9F4C2D39-0F6C2B9E1D7A4853",
    "receivedAt": "2026-11-21T09:41:12.345Z",
    "outcome": "credited",
    "source": "product:prod_8vr2k0xq3m5t",
    "clickId": "550e8400-e29b-41d4-a716-446655440000",
    "conversionId": "CONV-5B7A0C93E1D24F6688AB10F2",
    "earningId": "EARN-019A9F4C2D39-7B1E0C5D8A92F344",
    "bodySize": 63,
}

OPERATIONS = (
    Operation(
        route="GET /api/v1/admin/receipts",
        name="listReceipts",
        tag=Tag.RECEIPTS,
        caller=Caller.ADMIN,
        summary="List receipts, newest first",
        description="Filter by `clickId`, or by `day` and one of `networkId`, `productId`, `operatorId`, `strangers`. "
        "With `outcome` a page may be shorter than `limit` although there are more.",
        query=ReceiptPageQuery,
        successes=(Success("Receipts found", Receipts, {"items": [_SUMMARY], "nextCursor": None}),),
        errors=(*PAGE, InvalidRequestError),
    ),
    Operation(
        route="GET /api/v1/admin/receipts/{receiptId}",
        name="getReceipt",
        tag=Tag.RECEIPTS,
        caller=Caller.ADMIN,
        summary="Read a receipt: the postback as it arrived, less its secrets",
        successes=(
            Success(
                "Receipt found",
                ReceiptView,
                _SUMMARY
                | {
                    "method": "POST",
                    "path": "/api/v1/earn/postback",
                    "query": "click_id=550e8400-e29b-41d4-a716-446655440000",
                    "headers": {"content-type": "application/json"},
                    "body": '{"amount": 50, "status": "completed", "transactionId": "txn_1"}',
                    "sourceIp": "203.0.113.7",
                },
            ),
        ),
        errors=(ReceiptNotFoundError,),
    ),
    Operation(
        route="POST /api/v1/admin/receipts/{receiptId}/replay",
        name="replayReceipt",
        tag=Tag.RECEIPTS,
        caller=Caller.ADMIN,
        summary="Process the postback again",
        description="The operator vouches for it, so it is not authenticated. Its receipt gets the new outcome.",
        successes=(
            Success(
                "Receipt replayed",
                Replay,
                {
                    "outcome": "credited",
                    "earningId": "EARN-019A9F4C2D39-7B1E0C5D8A92F344",
                    "clickId": "550e8400-e29b-41d4-a716-446655440000",
                    "conversionId": "conv_789012",
                    "status": "completed",
                    "amount": 50,
                },
            ),
        ),
        errors=(
            ClickIdRequiredError,
            InvalidClickIdError,
            InvalidAmountError,
            InvalidCurrencyError,
            InvalidBodyError,
            InvalidRequestError,
            PostbackNotAuthenticatedError,
            ReceiptNotFoundError,
            NetworkNotFoundError,
            ClickNotFoundError,
            ReceiptIncompleteError,
            ReceiptNotReplayableError,
            ClickAlreadyConvertedError,
            ClickOwnerMismatchError,
            ConflictingReplayError,
            ClickExpiredError,
            UnknownStatusError,
            LedgerBusyError,
        ),
    ),
)
