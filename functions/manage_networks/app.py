"""/api/v1/admin/networks: operators manage the networks that post conversions to us."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, json_object, page_of, public_base_url, resolver, success, user_of
from ricochet.audit import AuditLog
from ricochet.clients import dynamodb
from ricochet.intake.manage_networks import ManageNetworks, Networks, NetworkView, SavedNetwork
from ricochet.intake.networks_table import NetworksTable
from ricochet.settings import GroupSettings, PublicUrlSettings
from ricochet.telemetry import logger


class Settings(GroupSettings, PublicUrlSettings):
    networks_table: str


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
audit = AuditLog(lambda: user_of(app.current_event))
manage = ManageNetworks(NetworksTable(dynamodb(), settings.networks_table), audit)


@app.post("/api/v1/admin/networks")
def create_network() -> Response[Any]:
    change = manage.create(json_object(app.current_event))
    saved = SavedNetwork.of_change(change, base_url())
    return success("Network created", saved, status=201, warnings=change.warnings)


@app.get("/api/v1/admin/networks")
def list_networks() -> Response[Any]:
    page = manage.list_page(*page_of(app.current_event))
    return success("Networks found", page.shown_as(Networks, lambda network: NetworkView.of(network, base_url())))


@app.get("/api/v1/admin/networks/<network_id>")
def get_network(network_id: str) -> Response[Any]:
    return success("Network found", NetworkView.of(manage.get(network_id), base_url()))


@app.patch("/api/v1/admin/networks/<network_id>")
def update_network(network_id: str) -> Response[Any]:
    change = manage.update(network_id, json_object(app.current_event))
    return success("Network updated", SavedNetwork.of_change(change, base_url()), warnings=change.warnings)


def base_url() -> str:
    return settings.public_base_url or public_base_url(app.current_event)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
