"""GET /api/v1/earn/products."""

from api_docs.description import PAGE, Caller, Operation, PageQuery, Success, Tag
from ricochet.clicks.product import Offers

OPERATIONS = (
    Operation(
        route="GET /api/v1/earn/products",
        name="listOffers",
        tag=Tag.APPS,
        caller=Caller.USER,
        summary="What there is to earn from",
        query=PageQuery,
        successes=(
            Success(
                "Products found",
                Offers,
                {
                    "products": [
                        {
                            "productId": "prod_8vr2k0xq3m5t",
                            "name": "Survey of the month",
                            "taskUrl": "https://example.com/offer",
                            "earnUpTo": 12.5,
                            "currency": "USD",
                            "clickTtlHours": 24,
                        }
                    ],
                    "nextCursor": None,
                },
            ),
        ),
        errors=PAGE,
    ),
)
