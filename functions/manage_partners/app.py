"""/api/v1/admin/partners: operators manage the partners that receive conversions."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, json_object, page_of, resolver, status_filter_of, success, user_of
from ricochet.audit import AuditLog
from ricochet.clients import dynamodb
from ricochet.delivery.partners.manage_partners import ManagePartners, Partners, SavedPartner
from ricochet.delivery.settings import PartnerSettings
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger


class Settings(PartnerSettings, GroupSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManagePartners.from_settings(dynamodb(), settings, AuditLog(lambda: user_of(app.current_event)))


@app.post("/api/v1/admin/partners")
def create_partner() -> Response[Any]:
    change = manage.create(json_object(app.current_event))
    return success("Partner created", SavedPartner.of_change(change), status=201, warnings=change.warnings)


@app.get("/api/v1/admin/partners")
def list_partners() -> Response[Any]:
    page = manage.list_page(status_filter_of(app.current_event), *page_of(app.current_event))
    return success("Partners found", page.shown_as(Partners))


@app.get("/api/v1/admin/partners/<partner_id>")
def get_partner(partner_id: str) -> Response[Any]:
    return success("Partner found", manage.get(partner_id))


@app.patch("/api/v1/admin/partners/<partner_id>")
def update_partner(partner_id: str) -> Response[Any]:
    change = manage.update(partner_id, json_object(app.current_event))
    return success("Partner updated", SavedPartner.of_change(change), warnings=change.warnings)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
