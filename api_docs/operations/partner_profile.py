"""/api/v1/partner/profile."""

from typing import Any

from pydantic import create_model

from api_docs.description import JSON_BODY, Body, Caller, Operation, Success, Tag
from ricochet.delivery.partners.manage_partners import PartnerInput
from ricochet.delivery.partners.partner_profile import EDITABLE, Profile, SampleRequest, SampleTried, SigningSecret
from ricochet.errors import ChangedMeanwhileError, PartnerUrlNotAllowedError
from ricochet.values.entity import Model

_editable: dict[str, Any] = {
    name: (field.annotation, field) for name, field in PartnerInput.model_fields.items() if field.alias in EDITABLE
}
ProfileInput = create_model("ProfileInput", __base__=Model, **_editable)


_URL = "https://partner.example/pb?subid={subid}&status={status}&sum={payout}"
_PROFILE = {
    "partnerId": "part_4k9mw2hz7c0e",
    "name": "Tracker",
    "postbackUrl": _URL,
    "method": "GET",
    "contentType": "json",
    "events": ["Lead", "Purchase", "Reject", "Trash"],
    "statusWords": {},
    "filters": {"offerIds": [], "productIds": [], "networkIds": [], "ownClicks": {}},
    "replyUpdatesStatus": False,
    "status": "active",
    "createdAt": "2026-11-21T09:30:00.000Z",
    "updatedAt": "2026-11-21T09:30:00.000Z",
}

OPERATIONS = (
    Operation(
        route="GET /api/v1/partner/profile",
        name="getProfile",
        tag=Tag.PORTAL,
        caller=Caller.PARTNER,
        summary="What one receives, and how",
        successes=(Success("Profile found", Profile, _PROFILE),),
    ),
    Operation(
        route="PUT /api/v1/partner/profile",
        name="updateProfile",
        tag=Tag.PORTAL,
        caller=Caller.PARTNER,
        summary="Change it",
        description="Only operators can change `filters.ownClicks`.",
        body=Body(ProfileInput, {"postbackUrl": _URL, "events": ["Purchase"]}, is_patch=True),
        successes=(
            Success(
                "Profile updated",
                Profile,
                _PROFILE | {"events": ["Purchase"]},
                warnings=("partner.example has no address at the moment",),
            ),
        ),
        errors=(*JSON_BODY, PartnerUrlNotAllowedError, ChangedMeanwhileError),
    ),
    Operation(
        route="POST /api/v1/partner/profile/secret",
        name="rotateSigningSecret",
        tag=Tag.PORTAL,
        caller=Caller.PARTNER,
        summary="A new signing secret",
        successes=(
            Success(
                "Signing secret rotated",
                SigningSecret,
                {"signingSecret": "whsec_example", "previousSecretUntil": "2026-11-22T09:30:00.000Z"},
            ),
        ),
        errors=(ChangedMeanwhileError,),
    ),
    Operation(
        route="POST /api/v1/partner/profile/test",
        name="sendTestPostback",
        tag=Tag.PORTAL,
        caller=Caller.PARTNER,
        summary="Send oneself a test postback",
        description="Its data are made up, with ids that begin with `test_`. It is not counted and not recorded.",
        body=Body(SampleRequest, {"status": "approved"}, is_optional=True),
        successes=(
            Success(
                "Test postback sent",
                SampleTried,
                {
                    "request": {
                        "method": "GET",
                        "url": "https://partner.example/pb?subid=test_8vr2k0xq3m5t&status=Purchase&sum=1.00",
                        "headers": {"webhook-id": "test_8vr2k0xq3m5t"},
                    },
                    "response": {"at": "2026-11-21T09:41:13.000Z", "ms": 41, "statusCode": 200, "reply": "OK"},
                },
            ),
        ),
        errors=JSON_BODY,
    ),
)
