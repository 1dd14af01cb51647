"""/api/v1/partner/deliveries."""

from api_docs.description import PAGE, Caller, Operation, PageQuery, Success, Tag
from ricochet.delivery.manage_deliveries import ListingQuery
from ricochet.delivery.partners.partner_deliveries import OwnDeliveries, OwnDelivery
from ricochet.errors import DeliveryNotFoundError, InvalidRequestError


class OwnDeliveryPageQuery(ListingQuery, PageQuery):
    pass


_SUMMARY = {
    "conversionId": "CONV-5B7A0C93E1D24F6688AB10F2",
    "deliveryId": "dlv_0f4b6a1c9d2e7b53a8c6e410",
    "version": 1,
    "state": "delivered",
    "attemptCount": 1,
    "createdAt": "2026-11-21T09:41:13.000Z",
    "updatedAt": "2026-11-21T09:41:13.000Z",
    "status": "Purchase",
    "payout": "50",
    "currency": "USD",
    "clickId": "550e8400-e29b-41d4-a716-446655440000",
    "subid": "banner-1",
    "sourceConversionId": "conv_789012",
}
_WHOLE = _SUMMARY | {
    "url": "https://partner.example/pb?subid=banner-1&status=Purchase&sum=50",
    "attempts": [{"at": "2026-11-21T09:41:13.000Z", "ms": 41, "statusCode": 200, "reply": "OK"}],
}

OPERATIONS = (
    Operation(
        route="GET /api/v1/partner/deliveries",
        name="listOwnDeliveries",
        tag=Tag.PORTAL,
        caller=Caller.PARTNER,
        summary="What one was sent, newest first",
        description="With a filter, a page may be shorter than `limit` although there are more.",
        query=OwnDeliveryPageQuery,
        successes=(Success("Deliveries found", OwnDeliveries, {"items": [_SUMMARY], "nextCursor": None}),),
        errors=(*PAGE, InvalidRequestError),
    ),
    Operation(
        route="GET /api/v1/partner/deliveries/{conversionId}/{version}",
        name="getOwnDelivery",
        tag=Tag.PORTAL,
        caller=Caller.PARTNER,
        summary="One of them, with its attempts",
        successes=(Success("Delivery found", OwnDelivery, _WHOLE),),
        errors=(DeliveryNotFoundError,),
    ),
)
