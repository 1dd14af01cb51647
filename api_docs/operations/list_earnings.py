"""GET /api/v1/earn/earnings."""

from api_docs.description import PAGE, Caller, Operation, PageQuery, Success, Tag
from ricochet.errors import ForbiddenError
from ricochet.ledger.earning import Earnings

OPERATIONS = (
    Operation(
        route="GET /api/v1/earn/earnings",
        name="listEarnings",
        tag=Tag.APPS,
        caller=Caller.USER,
        summary="One's own ledger, newest first",
        description="The sum of the `completed` rows of a currency is the wallet's balance.",
        query=PageQuery,
        successes=(
            Success(
                "Earnings found",
                Earnings,
                {
                    "earnings": [
                        {
                            "earningId": "EARN-019A9F4C2D39-7B1E0C5D8A92F344",
                            "productId": "prod_8vr2k0xq3m5t",
                            "offerId": "offer_123",
                            "clickId": "550e8400-e29b-41d4-a716-446655440000",
                            "conversionId": "conv_789012",
                            "amount": 50,
                            "currency": "USD",
                            "status": "completed",
                            "type": "conversion",
                            "approvalStatus": "auto_approved",
                            "earnedAt": "2026-11-21T09:41:12.345Z",
                            "creditedAt": "2026-11-21T09:41:12.345Z",
                        }
                    ],
                    "nextCursor": None,
                },
            ),
        ),
        errors=(*PAGE, ForbiddenError),
    ),
)
