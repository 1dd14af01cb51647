"""POST /api/v1/earn/products/{productId}/click."""

from api_docs.description import JSON_BODY, Body, Caller, Operation, Success, Tag
from ricochet.clicks.create_click import ClickRequest, NewClick
from ricochet.errors import ForbiddenError, ProductNotFoundError, ProductPausedError, TaskUrlNotAllowedError

OPERATIONS = (
    Operation(
        route="POST /api/v1/earn/products/{productId}/click",
        name="createClick",
        tag=Tag.APPS,
        caller=Caller.USER,
        summary="A click goes out",
        description="Open `redirectUrl` for the user: it passes `click_id` and `postback_url` to the advertiser.",
        body=Body(
            ClickRequest,
            {"taskUrl": "https://example.com/offer?campaign=7", "offerId": "offer_123", "subid": "banner-1"},
            is_optional=True,
        ),
        successes=(
            Success(
                "Click generated successfully",
                NewClick,
                {
                    "clickId": "550e8400-e29b-41d4-a716-446655440000",
                    "redirectUrl": "https://example.com/offer?campaign=7&click_id=550e8400-e29b-41d4-a716-446655440000"
                    "&postback_url=https%3A%2F%2Fapi.example%2Fapi%2Fv1%2Fearn%2Fpostback"
                    "%3Fclick_id%3D550e8400-e29b-41d4-a716-446655440000",
                    "expiresAt": "2026-11-22T09:30:00.000Z",
                    "trackingUrl": "https://api.example/api/v1/earn/postback"
                    "?click_id=550e8400-e29b-41d4-a716-446655440000",
                },
                status=201,
            ),
        ),
        errors=(*JSON_BODY, TaskUrlNotAllowedError, ForbiddenError, ProductNotFoundError, ProductPausedError),
    ),
)
