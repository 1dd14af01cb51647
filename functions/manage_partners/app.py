"""/api/v1/admin/partners: operators set up who is told of conversions, and how."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, json_object, page_of, resolver, status_filter_of, success, user_of
from ricochet.audit import audit
from ricochet.clients import dynamodb
from ricochet.delivery.partners.manage_partners import ManagePartners, PartnerInput, SavedPartner, shown
from ricochet.delivery.settings import PartnerSettings
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger
from ricochet.values.inputs import ignored_fields, validate


class Settings(PartnerSettings, GroupSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManagePartners.from_settings(dynamodb(), settings)


@app.post("/api/v1/admin/partners")
def create_partner() -> Response[Any]:
    given = json_object(app.current_event)
    saved = manage.create(validate(given, PartnerInput))
    audit(user_of(app.current_event), "partner.created", saved.partner.partner_id, None, saved.partner)
    return answer("Partner created", saved, given, status=201)


@app.get("/api/v1/admin/partners")
def list_partners() -> Response[Any]:
    page = manage.list_page(status_filter_of(app.current_event), *page_of(app.current_event))
    return success("Partners found", page.to_json("items", shown))


@app.get("/api/v1/admin/partners/<partner_id>")
def get_partner(partner_id: str) -> Response[Any]:
    return success("Partner found", shown(manage.get(partner_id)))


@app.patch("/api/v1/admin/partners/<partner_id>")
def update_partner(partner_id: str) -> Response[Any]:
    given = json_object(app.current_event)
    before = manage.get(partner_id)
    saved = manage.update(before, given)
    audit(user_of(app.current_event), "partner.updated", partner_id, before, saved.partner)
    return answer("Partner updated", saved, given)


def answer(message: str, saved: SavedPartner, given: dict[str, Any], status: int = 200) -> Response[Any]:
    warnings = saved.warnings + ignored_fields(given, PartnerInput)
    return success(message, saved.to_json(), status=status, warnings=warnings)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
