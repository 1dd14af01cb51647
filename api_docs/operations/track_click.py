"""GET /api/v1/earn/track/{clickId}."""

from api_docs.description import Caller, Operation, Success, Tag
from ricochet.clicks.read_click import Visit
from ricochet.errors import ClickNotFoundError

OPERATIONS = (
    Operation(
        route="GET /api/v1/earn/track/{clickId}",
        name="trackClick",
        tag=Tag.POSTBACKS,
        caller=Caller.ANYONE,
        summary="A redirect URL was opened",
        description="Counts the visit, and records the time of the first one.",
        successes=(
            Success("Click tracked", Visit, {"clickId": "550e8400-e29b-41d4-a716-446655440000", "status": "pending"}),
        ),
        errors=(ClickNotFoundError,),
    ),
)
