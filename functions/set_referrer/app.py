"""PUT /api/v1/earn/referrer: set who referred the caller; GET: the code by which the caller refers others."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import parse_body, resolver, success, user_of
from ricochet.clicks.set_referrer import ReferrerRequest, SetReferrer
from ricochet.clicks.users_table import UsersTable
from ricochet.clients import dynamodb
from ricochet.settings import EnvironmentSettings
from ricochet.telemetry import logger


class Settings(EnvironmentSettings):
    users_table: str


app = resolver()
set_referrer = SetReferrer(UsersTable(dynamodb(), Settings.load(os.environ).users_table))


@app.put("/api/v1/earn/referrer")
def put_referrer() -> Response[Any]:
    request = parse_body(app.current_event, ReferrerRequest)
    return success("Referrer set", set_referrer(user_of(app.current_event), request))


@app.get("/api/v1/earn/referrer")
def get_referrer() -> Response[Any]:
    return success("Referral code found", set_referrer.own_code(user_of(app.current_event)))


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
