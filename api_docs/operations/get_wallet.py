"""GET /api/v1/earn/wallet."""

from api_docs.description import Caller, Operation, Success, Tag
from ricochet.errors import ForbiddenError
from ricochet.ledger.earning import Wallets

_DOLLARS = {"currency": "USD", "balance": 50, "pending": 12.5, "lifetime": 50}

OPERATIONS = (
    Operation(
        route="GET /api/v1/earn/wallet",
        name="getWallet",
        tag=Tag.APPS,
        caller=Caller.USER,
        summary="One's own balance in each currency",
        successes=(Success("Wallet found", Wallets, _DOLLARS | {"wallets": [_DOLLARS]}),),
        errors=(ForbiddenError,),
    ),
)
