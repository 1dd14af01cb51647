"""PUT and GET /api/v1/earn/referrer."""

from api_docs.description import JSON_BODY, Body, Caller, Operation, Success, Tag
from ricochet.clicks.set_referrer import ReferralCode, Referrer, ReferrerRequest
from ricochet.errors import (
    ForbiddenError,
    LedgerBusyError,
    ReferrerAlreadySetError,
    ReferrerCycleError,
    ReferrerIsSelfError,
    ReferrerNotFoundError,
)

_REFERRER_ID = "9b1f0c52-7a3e-4f0e-9f53-2f5d5a0e7c22"

OPERATIONS = (
    Operation(
        route="PUT /api/v1/earn/referrer",
        name="setReferrer",
        tag=Tag.APPS,
        caller=Caller.USER,
        summary="Who brought one",
        description="Possible once; setting the same referrer again is accepted. Send `referralCode` or `referrerId`.",
        body=Body(ReferrerRequest, {"referralCode": "7H2K9QX4M0TB"}),
        successes=(Success("Referrer set", Referrer, {"referrerId": _REFERRER_ID}),),
        errors=(
            *JSON_BODY,
            ReferrerIsSelfError,
            ForbiddenError,
            ReferrerNotFoundError,
            ReferrerAlreadySetError,
            ReferrerCycleError,
            LedgerBusyError,
        ),
    ),
    Operation(
        route="GET /api/v1/earn/referrer",
        name="getReferralCode",
        tag=Tag.APPS,
        caller=Caller.USER,
        summary="The code by which one brings others",
        successes=(
            Success("Referral code found", ReferralCode, {"referralCode": "3FJ8W0ZC5RNA", "referrerId": _REFERRER_ID}),
        ),
        errors=(ForbiddenError,),
    ),
)
