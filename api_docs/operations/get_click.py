"""GET /api/v1/earn/clicks/{clickId}."""

from api_docs.description import Caller, Operation, Success, Tag
from ricochet.clicks.click import ClickView
from ricochet.errors import ClickNotFoundError, ForbiddenError

OPERATIONS = (
    Operation(
        route="GET /api/v1/earn/clicks/{clickId}",
        name="getClick",
        tag=Tag.APPS,
        caller=Caller.USER,
        summary="Read one's own click and its status",
        successes=(
            Success(
                "Click found",
                ClickView,
                {
                    "clickId": "550e8400-e29b-41d4-a716-446655440000",
                    "userId": "1c1f5a9e-5d0e-4a52-8b1c-0d3b8b1f0a11",
                    "productId": "prod_8vr2k0xq3m5t",
                    "taskUrl": "https://example.com/offer",
                    "offerId": "offer_123",
                    "userAgent": "Dart/3.5 (dart:io)",
                    "createdAt": "2026-11-21T09:30:00.000Z",
                    "expiresAt": "2026-11-22T09:30:00.000Z",
                    "status": "converted",
                    "redirectUrl": "https://example.com/offer?click_id=550e8400-e29b-41d4-a716-446655440000"
                    "&postback_url=https%3A%2F%2Fapi.example%2Fapi%2Fv1%2Fearn%2Fpostback"
                    "%3Fclick_id%3D550e8400-e29b-41d4-a716-446655440000",
                    "clickedAt": "2026-11-21T09:30:00.000Z",
                    "updatedAt": "2026-11-21T09:41:12.345Z",
                    "postbackReceived": True,
                    "postbackReceivedAt": "2026-11-21T09:41:12.345Z",
                    "conversionId": "conv_789012",
                },
            ),
        ),
        errors=(ForbiddenError, ClickNotFoundError),
    ),
)
