"""/api/v1/admin/deliveries."""

from pydantic import RootModel

from api_docs.description import JSON_BODY, PAGE, Body, Caller, Operation, PageQuery, Success, Tag
from ricochet.delivery.delivery import Delivery
from ricochet.delivery.manage_deliveries import Deliveries, DeliveryQuery, DeliverySummary, Undelivered
from ricochet.delivery.redrive_deliveries import ParkingQueueView, Redriven, RedriveRequest
from ricochet.delivery.replay_deliveries import ReplayReport, ReplayRequest
from ricochet.errors import (
    ChangedMeanwhileError,
    DeliveryNotFoundError,
    DeliveryUnderWayError,
    InvalidCursorError,
    InvalidRequestError,
    PartnerArchivedError,
    PartnerNotFoundError,
)
from ricochet.ledger.notice import Notice
from ricochet.values.entity import Model
from ricochet.values.statuses import Status


class DeliveryPageQuery(DeliveryQuery, PageQuery):
    pass


class CursorQuery(Model):
    cursor: str | None = None


class Redrive(RootModel[ParkingQueueView | Redriven]):
    pass


_NOTICE = Notice(
    click_id="550e8400-e29b-41d4-a716-446655440000",
    status=Status.APPROVED,
    original_status="completed",
    payout="50",
    currency="USD",
    offer_id="offer_123",
    product_id="prod_8vr2k0xq3m5t",
    conversion_id="conv_789012",
    transaction_id="txn_123456",
    user_id="1c1f5a9e-5d0e-4a52-8b1c-0d3b8b1f0a11",
    timestamp="2026-11-21T09:41:12.345Z",
)
_SUMMARY = {
    "conversionId": "CONV-5B7A0C93E1D24F6688AB10F2",
    "deliveryKey": "000001#part_4k9mw2hz7c0e",
    "deliveryId": "dlv_0f4b6a1c9d2e7b53a8c6e410",
    "version": 1,
    "partnerId": "part_4k9mw2hz7c0e",
    "state": "parked",
    "notice": _NOTICE.to_json(),
    "url": "https://partner.example/pb?subid=banner-1&status=Purchase&sum=50",
    "attemptCount": 11,
    "createdAt": "2026-11-21T09:41:13.000Z",
    "updatedAt": "2026-11-24T08:02:41.000Z",
}
_ATTEMPTS = {"attempts": [{"at": "2026-11-24T08:02:40.000Z", "ms": 41, "statusCode": 503, "reply": "busy"}]}
_ONE = "/api/v1/admin/deliveries/{conversionId}/{version}/{partnerId}"
_SPAN = {"partnerId": "part_4k9mw2hz7c0e", "from": "2026-11-20", "to": "2026-11-21T12:00:00Z", "state": "missing"}

OPERATIONS = (
    Operation(
        route="GET /api/v1/admin/deliveries",
        name="listDeliveries",
        tag=Tag.DELIVERIES,
        caller=Caller.ADMIN,
        summary="List deliveries, newest first",
        description="Filter by `conversionId`, by `partnerId` (also with `state` and time), or by an open `state`. "
        "With a filter, a page may be shorter than `limit` although there are more.",
        query=DeliveryPageQuery,
        successes=(Success("Deliveries found", Deliveries, {"items": [_SUMMARY], "nextCursor": None}),),
        errors=(*PAGE, InvalidRequestError),
    ),
    Operation(
        route="GET /api/v1/admin/deliveries/undelivered",
        name="sumUndelivered",
        tag=Tag.DELIVERIES,
        caller=Caller.ADMIN,
        summary="What partners have not received, added up by partner and currency",
        description="If there is a `nextCursor`, add the sums of the following pages.",
        query=CursorQuery,
        successes=(
            Success(
                "Undelivered payouts added up",
                Undelivered,
                {
                    "items": [
                        {
                            "partnerId": "part_4k9mw2hz7c0e",
                            "currency": "USD",
                            "value": 50,
                            "count": 1,
                            "retrying": 0,
                            "parked": 1,
                            "oldest": "2026-11-21T09:41:13.000Z",
                        }
                    ],
                    "nextCursor": None,
                },
            ),
        ),
        errors=(InvalidCursorError,),
    ),
    Operation(
        route=f"GET {_ONE}",
        name="getDelivery",
        tag=Tag.DELIVERIES,
        caller=Caller.ADMIN,
        summary="Read a delivery with its attempts",
        successes=(Success("Delivery found", Delivery, _SUMMARY | _ATTEMPTS),),
        errors=(DeliveryNotFoundError,),
    ),
    Operation(
        route=f"POST {_ONE}/replay",
        name="replayDelivery",
        tag=Tag.DELIVERIES,
        caller=Caller.ADMIN,
        summary="Have one delivery tried again",
        description="It is sent from the next minute on, at its partner's rate, and its retry schedule starts again.",
        successes=(Success("Delivery to be tried again", DeliverySummary, _SUMMARY | {"state": "retrying"}),),
        errors=(DeliveryNotFoundError, DeliveryUnderWayError, PartnerArchivedError, ChangedMeanwhileError),
    ),
    Operation(
        route="POST /api/v1/admin/deliveries/replay",
        name="replayDeliveries",
        tag=Tag.DELIVERIES,
        caller=Caller.ADMIN,
        summary="Send a partner all deliveries of a time and state again",
        description="Only counts, unless `dryRun` is false. Repeating a call is safe. If there is a `nextCursor`, "
        "the call stopped early: send it as `cursor` to continue.",
        body=Body(ReplayRequest, _SPAN),
        successes=(
            Success(
                "Deliveries counted",
                ReplayReport,
                {
                    "dryRun": True,
                    "matched": 3,
                    "value": {"USD": 150},
                    "replayed": 0,
                    "complete": True,
                    "nextCursor": None,
                },
            ),
        ),
        errors=(*JSON_BODY, InvalidCursorError, PartnerNotFoundError, PartnerArchivedError),
    ),
    Operation(
        route="POST /api/v1/admin/deliveries/redrive",
        name="redriveDeliveries",
        tag=Tag.DELIVERIES,
        caller=Caller.ADMIN,
        summary="Work off the parking queue",
        description="Only counts, unless `dryRun` is false.",
        body=Body(RedriveRequest, {"limit": 100, "dryRun": False}, is_optional=True),
        successes=(
            Success(
                "Parking queue worked off",
                Redrive,
                {
                    "dryRun": False,
                    "received": 2,
                    "replayed": 1,
                    "resumed": 0,
                    "stale": 1,
                    "kept": 0,
                    "unreadable": 0,
                },
            ),
        ),
        errors=JSON_BODY,
    ),
)
