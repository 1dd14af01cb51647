"""/api/v1/admin/conversions."""

from api_docs.description import JSON_BODY, PAGE, Body, Caller, Operation, PageQuery, Success, Tag
from api_docs.operations.manage_earnings import ROW
from ricochet.errors import (
    ClickAlreadyConvertedError,
    ConversionNotFoundError,
    InvalidRequestError,
    LedgerBusyError,
    StatusNotPossibleError,
)
from ricochet.ledger.manage_conversions import ConversionQuery, Conversions, ConversionView, StatusInput


class ConversionPageQuery(ConversionQuery, PageQuery):
    pass


_SUMMARY = {
    "conversionId": "CONV-5B7A0C93E1D24F6688AB10F2",
    "source": "product:prod_8vr2k0xq3m5t",
    "sourceConversionId": "conv_789012",
    "transactionId": "txn_123456",
    "status": "pending",
    "sourceStatus": "completed",
    "reported": "approved",
    "holdReason": "manual_approval",
    "version": 1,
    "clickId": "550e8400-e29b-41d4-a716-446655440000",
    "userId": "1c1f5a9e-5d0e-4a52-8b1c-0d3b8b1f0a11",
    "productId": "prod_8vr2k0xq3m5t",
    "amount": 50,
    "currency": "USD",
    "credited": 0,
    "owed": 0,
    "referralRate": 0.1,
    "earningId": "EARN-019A9F4C2D39-7B1E0C5D8A92F344",
    "createdAt": "2026-11-21T09:41:12.345Z",
    "updatedAt": "2026-11-21T09:41:12.345Z",
}
_WHOLE = _SUMMARY | {"versions": [], "earnings": [ROW]}

OPERATIONS = (
    Operation(
        route="GET /api/v1/admin/conversions",
        name="listConversions",
        tag=Tag.LEDGER,
        caller=Caller.ADMIN,
        summary="List conversions of a day, newest first",
        description="The day is that of the last change. With `status` a page may be shorter than `limit` although "
        "there are more.",
        query=ConversionPageQuery,
        successes=(Success("Conversions found", Conversions, {"items": [_SUMMARY], "nextCursor": None}),),
        errors=(*PAGE, InvalidRequestError),
    ),
    Operation(
        route="GET /api/v1/admin/conversions/{conversionId}",
        name="getConversion",
        tag=Tag.LEDGER,
        caller=Caller.ADMIN,
        summary="Read a conversion with its earlier versions and its earnings",
        successes=(Success("Conversion found", ConversionView, _WHOLE),),
        errors=(ConversionNotFoundError,),
    ),
    Operation(
        route="POST /api/v1/admin/conversions/{conversionId}/status",
        name="correctStatus",
        tag=Tag.LEDGER,
        caller=Caller.ADMIN,
        summary="Correct its status by hand",
        description="The rules are those of a postback, but no money is held. Partners receive the new status.",
        body=Body(StatusInput, {"status": "approved", "reason": "the advertiser confirmed it by mail"}),
        successes=(Success("Status corrected", ConversionView, _WHOLE | {"status": "approved", "version": 2}),),
        errors=(
            *JSON_BODY,
            ConversionNotFoundError,
            StatusNotPossibleError,
            ClickAlreadyConvertedError,
            LedgerBusyError,
        ),
    ),
)
