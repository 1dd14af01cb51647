"""GET /api/v1/earn/wallet: the caller's balance in each currency."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import resolver, success, user_of
from ricochet.clients import dynamodb
from ricochet.ledger.earning import Wallets
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
    found = Wallets.of(user_id, wallets.of_user(user_id), settings.default_currency)
    return success("Wallet found", found)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
