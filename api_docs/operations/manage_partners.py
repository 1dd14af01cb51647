"""/api/v1/admin/partners."""

from api_docs.description import JSON_BODY, PAGE, Body, Caller, Operation, StatusPageQuery, Success, Tag
from ricochet.delivery.partners.manage_partners import PartnerInput, Partners, SavedPartner
from ricochet.delivery.partners.partner import Partner
from ricochet.errors import (
    ChangedMeanwhileError,
    InvalidRequestError,
    LoginTakenError,
    PartnerExistsError,
    PartnerNotFoundError,
    PartnerUrlNotAllowedError,
)

_URL = "https://partner.example/pb?subid={subid}&status={status}&sum={payout}"
_PARTNER = {
    "partnerId": "part_4k9mw2hz7c0e",
    "name": "Tracker",
    "postbackUrl": _URL,
    "method": "GET",
    "contentType": "json",
    "events": ["Lead", "Purchase", "Reject", "Trash"],
    "statusWords": {},
    "filters": {"offerIds": [], "productIds": [], "networkIds": [], "ownClicks": {}},
    "replyUpdatesStatus": False,
    "logins": [],
    "status": "active",
    "createdAt": "2026-11-21T09:30:00.000Z",
    "updatedAt": "2026-11-21T09:30:00.000Z",
}
_SECRET = {"signingSecret": "whsec_example"}
_WARNINGS = ("partner.example has no address at the moment",)

OPERATIONS = (
    Operation(
        route="POST /api/v1/admin/partners",
        name="createPartner",
        tag=Tag.PARTNERS,
        caller=Caller.ADMIN,
        summary="Create a partner",
        body=Body(PartnerInput, {"name": "Tracker", "postbackUrl": _URL}),
        successes=(Success("Partner created", SavedPartner, _PARTNER | _SECRET, status=201, warnings=_WARNINGS),),
        errors=(*JSON_BODY, PartnerUrlNotAllowedError, PartnerExistsError, LoginTakenError, ChangedMeanwhileError),
    ),
    Operation(
        route="GET /api/v1/admin/partners",
        name="listPartners",
        tag=Tag.PARTNERS,
        caller=Caller.ADMIN,
        summary="List partners",
        query=StatusPageQuery,
        successes=(Success("Partners found", Partners, {"items": [_PARTNER], "nextCursor": None}),),
        errors=(*PAGE, InvalidRequestError),
    ),
    Operation(
        route="GET /api/v1/admin/partners/{partnerId}",
        name="getPartner",
        tag=Tag.PARTNERS,
        caller=Caller.ADMIN,
        summary="Read a partner",
        successes=(Success("Partner found", Partner, _PARTNER),),
        errors=(PartnerNotFoundError,),
    ),
    Operation(
        route="PATCH /api/v1/admin/partners/{partnerId}",
        name="updatePartner",
        tag=Tag.PARTNERS,
        caller=Caller.ADMIN,
        summary="Change, pause or archive a partner",
        description="When a partner is resumed, `missed` shows what can be replayed to it.",
        body=Body(PartnerInput, {"maxPerSecond": 5, "events": ["Purchase", "Reject"]}, is_patch=True),
        successes=(
            Success(
                "Partner updated",
                SavedPartner,
                _PARTNER | {"maxPerSecond": 5, "events": ["Purchase", "Reject"]},
                warnings=_WARNINGS,
            ),
        ),
        errors=(*JSON_BODY, PartnerUrlNotAllowedError, PartnerNotFoundError, LoginTakenError, ChangedMeanwhileError),
    ),
)
