"""/api/v1/admin/earnings."""

from api_docs.description import JSON_BODY, PAGE, Body, Caller, Operation, PageQuery, Success, Tag
from ricochet.errors import (
    ClickAlreadyConvertedError,
    ConversionNotFoundError,
    EarningNotFoundError,
    EarningNotWaitingError,
    LedgerBusyError,
)
from ricochet.ledger.manage_earnings import ApprovalInput, LedgerRow, LedgerRows, RejectionInput


class ProductPageQuery(PageQuery):
    product_id: str | None = None


ROW = {
    "userId": "1c1f5a9e-5d0e-4a52-8b1c-0d3b8b1f0a11",
    "earningId": "EARN-019A9F4C2D39-7B1E0C5D8A92F344",
    "amount": 50,
    "status": "pending",
    "approvalStatus": "pending",
    "reason": "manual_approval",
    "type": "conversion",
    "currency": "USD",
    "productId": "prod_8vr2k0xq3m5t",
    "clickId": "550e8400-e29b-41d4-a716-446655440000",
    "conversionId": "CONV-5B7A0C93E1D24F6688AB10F2",
    "sourceConversionId": "conv_789012",
    "earnedAt": "2026-11-21T09:41:12.345Z",
}
_APPROVED = {"status": "completed", "approvalStatus": "manual_approved", "creditedAt": "2026-11-21T10:00:00.000Z"}
_REJECTED = {"status": "cancelled", "approvalStatus": "rejected"}
_ONE = "/api/v1/admin/earnings/{userId}/{earningId}"
_ERRORS = (
    *JSON_BODY,
    EarningNotFoundError,
    ConversionNotFoundError,
    EarningNotWaitingError,
    ClickAlreadyConvertedError,
    LedgerBusyError,
)

OPERATIONS = (
    Operation(
        route="GET /api/v1/admin/earnings",
        name="listWaitingEarnings",
        tag=Tag.LEDGER,
        caller=Caller.ADMIN,
        summary="What waits for a person, the longest waiting first",
        description="With `productId` a page may be shorter than `limit` although there are more.",
        query=ProductPageQuery,
        successes=(Success("Earnings found", LedgerRows, {"items": [ROW], "nextCursor": None}),),
        errors=PAGE,
    ),
    Operation(
        route=f"POST {_ONE}/approve",
        name="approveEarning",
        tag=Tag.LEDGER,
        caller=Caller.ADMIN,
        summary="Approve it: the money is credited at once",
        body=Body(ApprovalInput, {"reason": "checked with the advertiser"}, is_optional=True),
        successes=(Success("Earning approved", LedgerRow, ROW | _APPROVED),),
        errors=_ERRORS,
    ),
    Operation(
        route=f"POST {_ONE}/reject",
        name="rejectEarning",
        tag=Tag.LEDGER,
        caller=Caller.ADMIN,
        summary="Reject it",
        body=Body(RejectionInput, {"reason": "the advertiser knows nothing of it"}),
        successes=(Success("Earning rejected", LedgerRow, ROW | _REJECTED),),
        errors=_ERRORS,
    ),
)
