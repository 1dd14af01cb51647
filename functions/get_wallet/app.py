"""GET /api/v1/earn/wallet: one's own balance in each currency."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import resolver, success, user_of
from ricochet.clients import dynamodb
from ricochet.ledger.earning import Wallet
from ricochet.ledger.wallets_table import WalletsTable
from ricochet.settings import EnvironmentSettings
from ricochet.telemetry import logger
from ricochet.values.money import Currency


class Settings(EnvironmentSettings):
    wallets_table: str
    default_currency: Currency


app = resolver()
settings = Settings.load(os.environ)
wallets = WalletsTable(dynamodb(), settings.wallets_table)


@app.get("/api/v1/earn/wallet")
def get_wallet() -> Response[Any]:
    user_id = user_of(app.current_event)
    found = {wallet.currency: wallet for wallet in wallets.of_user(user_id)}
    default = found.setdefault(settings.default_currency, Wallet(user_id=user_id, currency=settings.default_currency))
    data = default.to_app() | {"wallets": [wallet.to_app() for wallet in found.values()]}
    return success("Wallet found", data)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
