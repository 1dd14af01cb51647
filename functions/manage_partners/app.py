"""/api/v1/admin/partners: operators set up who is told of conversions, and how."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import admins_only, json_object, page_of, resolver, status_filter_of, success, user_of
from ricochet.audit import audit
from ricochet.clients import dynamodb
from ricochet.models.partner import Partner
from ricochet.models.validation import ignored_fields, validate
from ricochet.settings import ManagePartnersSettings
from ricochet.tables.catalog import Partners
from ricochet.telemetry import logger
from ricochet.use_cases.manage_partners import ManagePartners, PartnerInput, shown

app = resolver()
settings = ManagePartnersSettings.load(os.environ)
admins_only(app, settings.groups_claim)
manage = ManagePartners(Partners(dynamodb(), settings.partners_table), settings.allowed_targets)


@app.post("/api/v1/admin/partners")
def create_partner() -> Response[Any]:
    given = json_object(app.current_event)
    partner, secret, warnings = manage.create(validate(given, PartnerInput))
    audit(user_of(app.current_event), "partner.created", partner.partner_id, None, partner)
    return answer("Partner created", partner, secret, warnings + ignored_fields(given, PartnerInput), status=201)


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
    partner, secret, warnings = manage.update(partner_id, given)
    audit(user_of(app.current_event), "partner.updated", partner_id, before, partner)
    return answer("Partner updated", partner, secret, warnings + ignored_fields(given, PartnerInput))


def answer(message: str, partner: Partner, secret: str | None, warnings: list[str], status: int = 200) -> Response[Any]:
    data = shown(partner) | ({"signingSecret": secret} if secret else {})
    return success(message, data, status=status, warnings=warnings)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
