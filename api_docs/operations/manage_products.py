"""/api/v1/admin/products."""

from api_docs.description import JSON_BODY, PAGE, Body, Caller, Operation, StatusPageQuery, Success, Tag
from ricochet.clicks.manage_products import OPEN_AND_AUTO, ProductInput, Products, ProductView, SavedProduct
from ricochet.errors import ChangedMeanwhileError, InvalidRequestError, ProductExistsError, ProductNotFoundError

_PRODUCT = {
    "productId": "prod_8vr2k0xq3m5t",
    "name": "Survey of the month",
    "taskUrl": "https://example.com/offer",
    "allowedHosts": ["example.com"],
    "earnUpTo": 12.5,
    "currency": "USD",
    "clickTtlHours": 24,
    "postbackAuth": {"mode": "secret", "allowedCidrs": []},
    "approval": "auto",
    "defaultStatus": "approved",
    "multipleConversions": False,
    "holdDays": 0,
    "caps": {"perUserPerDay": 5},
    "status": "active",
    "createdAt": "2026-11-21T09:30:00.000Z",
    "updatedAt": "2026-11-21T09:30:00.000Z",
}
_TOKEN = {"postbackToken": "pbt_example"}

OPERATIONS = (
    Operation(
        route="POST /api/v1/admin/products",
        name="createProduct",
        tag=Tag.PRODUCTS,
        caller=Caller.ADMIN,
        summary="Create a product",
        body=Body(
            ProductInput,
            {"name": "Survey of the month", "taskUrl": "https://example.com/offer", "earnUpTo": "12.50"},
        ),
        successes=(Success("Product created", SavedProduct, _PRODUCT | _TOKEN, status=201, warnings=(OPEN_AND_AUTO,)),),
        errors=(*JSON_BODY, ProductExistsError),
    ),
    Operation(
        route="GET /api/v1/admin/products",
        name="listProducts",
        tag=Tag.PRODUCTS,
        caller=Caller.ADMIN,
        summary="List products",
        query=StatusPageQuery,
        successes=(Success("Products found", Products, {"items": [_PRODUCT], "nextCursor": None}),),
        errors=(*PAGE, InvalidRequestError),
    ),
    Operation(
        route="GET /api/v1/admin/products/{productId}",
        name="getProduct",
        tag=Tag.PRODUCTS,
        caller=Caller.ADMIN,
        summary="Read a product",
        successes=(Success("Product found", ProductView, _PRODUCT),),
        errors=(ProductNotFoundError,),
    ),
    Operation(
        route="PATCH /api/v1/admin/products/{productId}",
        name="updateProduct",
        tag=Tag.PRODUCTS,
        caller=Caller.ADMIN,
        summary="Change, pause or archive a product",
        body=Body(ProductInput, {"status": "paused"}, is_patch=True),
        successes=(
            Success("Product updated", SavedProduct, _PRODUCT | {"status": "paused"}, warnings=(OPEN_AND_AUTO,)),
        ),
        errors=(*JSON_BODY, ProductNotFoundError, ChangedMeanwhileError),
    ),
)
