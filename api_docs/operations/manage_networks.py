"""/api/v1/admin/networks."""

from api_docs.description import JSON_BODY, PAGE, Body, Caller, Operation, PageQuery, Success, Tag
from ricochet.errors import ChangedMeanwhileError, NetworkExistsError, NetworkNotFoundError
from ricochet.intake.manage_networks import NetworkInput, Networks, NetworkView, SavedNetwork

_KEY = "q3VbX0nT8yRfLw2KzHs6Jd4MpUc9Ae1G"
_NETWORK = {
    "uniqueKey": _KEY,
    "networkId": "net_6p1dfy0s8b3x",
    "name": "Any network",
    "preset": "generic",
    "allowedCidrs": [],
    "paramMap": {},
    "statusMap": {},
    "creditBy": "click",
    "requireKnownClick": False,
    "allowReapproval": False,
    "status": "active",
    "createdAt": "2026-11-21T09:30:00.000Z",
    "updatedAt": "2026-11-21T09:30:00.000Z",
    "postbackUrl": f"https://api.example/postback/{_KEY}"
    "?click_id={click_id}&status={status}&payout={payout}&transaction_id={transaction_id}&offer_id={offer_id}",
}
_WARNINGS = ("rewardrate is not a field and was ignored; did you mean rewardRate?",)

OPERATIONS = (
    Operation(
        route="POST /api/v1/admin/networks",
        name="createNetwork",
        tag=Tag.NETWORKS,
        caller=Caller.ADMIN,
        summary="Create a network",
        body=Body(NetworkInput, {"name": "Any network", "preset": "generic"}),
        successes=(Success("Network created", SavedNetwork, _NETWORK, status=201, warnings=_WARNINGS),),
        errors=(*JSON_BODY, NetworkExistsError),
    ),
    Operation(
        route="GET /api/v1/admin/networks",
        name="listNetworks",
        tag=Tag.NETWORKS,
        caller=Caller.ADMIN,
        summary="List networks",
        query=PageQuery,
        successes=(Success("Networks found", Networks, {"items": [_NETWORK], "nextCursor": None}),),
        errors=PAGE,
    ),
    Operation(
        route="GET /api/v1/admin/networks/{networkId}",
        name="getNetwork",
        tag=Tag.NETWORKS,
        caller=Caller.ADMIN,
        summary="Read a network",
        successes=(Success("Network found", NetworkView, _NETWORK),),
        errors=(NetworkNotFoundError,),
    ),
    Operation(
        route="PATCH /api/v1/admin/networks/{networkId}",
        name="updateNetwork",
        tag=Tag.NETWORKS,
        caller=Caller.ADMIN,
        summary="Change, pause or archive a network",
        description="After a new key is generated, the old one works for another `graceHours`.",
        body=Body(NetworkInput, {"rewardRate": "0.5", "requireKnownClick": True}, is_patch=True),
        successes=(
            Success(
                "Network updated",
                SavedNetwork,
                _NETWORK | {"rewardRate": 0.5, "requireKnownClick": True},
                warnings=_WARNINGS,
            ),
        ),
        errors=(*JSON_BODY, NetworkNotFoundError, ChangedMeanwhileError),
    ),
)
