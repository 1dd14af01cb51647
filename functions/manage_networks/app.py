"""/api/v1/admin/networks: operators set up who posts conversions to us, and how they are understood."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, json_object, page_of, public_base_url, resolver, success, user_of
from ricochet.audit import audit
from ricochet.clients import dynamodb
from ricochet.intake.manage_networks import ManageNetworks, NetworkInput, shown
from ricochet.intake.network import Network
from ricochet.intake.networks_table import NetworksTable
from ricochet.settings import GroupSettings, PublicUrlSettings
from ricochet.telemetry import logger
from ricochet.values.inputs import ignored_fields, validate


class Settings(GroupSettings, PublicUrlSettings):
    networks_table: str


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManageNetworks(NetworksTable(dynamodb(), settings.networks_table))


@app.post("/api/v1/admin/networks")
def create_network() -> Response[Any]:
    given = json_object(app.current_event)
    network = manage.create(validate(given, NetworkInput))
    audit(user_of(app.current_event), "network.created", network.network_id or "", None, network)
    return answer("Network created", network, given, secret=network.secret, status=201)


@app.get("/api/v1/admin/networks")
def list_networks() -> Response[Any]:
    page = manage.list_page(*page_of(app.current_event))
    return success("Networks found", page.to_json("items", lambda network: shown(network, base_url())))


@app.get("/api/v1/admin/networks/<network_id>")
def get_network(network_id: str) -> Response[Any]:
    return success("Network found", shown(manage.get(network_id), base_url()))


@app.patch("/api/v1/admin/networks/<network_id>")
def update_network(network_id: str) -> Response[Any]:
    given = json_object(app.current_event)
    before = manage.get(network_id)
    network, secret = manage.update(before, given)
    audit(user_of(app.current_event), "network.updated", network_id, before, network)
    return answer("Network updated", network, given, secret=secret)


def answer(
    message: str, network: Network, given: dict[str, Any], *, secret: str | None, status: int = 200
) -> Response[Any]:
    data = shown(network, base_url()) | ({"secret": secret} if secret else {})
    return success(message, data, status=status, warnings=ignored_fields(given, NetworkInput))


def base_url() -> str:
    return settings.public_base_url or public_base_url(app.current_event)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
