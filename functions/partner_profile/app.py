"""/api/v1/partner/profile: a partner manages its own settings, and sends itself a test postback."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import claims_of, json_object, parse_body, partners_only, resolver, success, user_of
from ricochet.audit import AuditLog
from ricochet.clients import dynamodb
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_logins import PartnerLogins
from ricochet.delivery.partners.partner_profile import TEST, PartnerProfile, Profile, SampleRequest
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.settings import LoginSettings, TargetSettings
from ricochet.http.client import Sender
from ricochet.http.resolver import Resolver
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger


class Settings(LoginSettings, TargetSettings, GroupSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
partners_only(app, settings.groups_claim)
logins = PartnerLogins.from_settings(dynamodb(), settings)
profile = PartnerProfile(
    PartnersTable(dynamodb(), settings.partners_table),
    AuditLog(lambda: user_of(app.current_event)),
    Resolver(settings.allowed_targets),
    Sender(settings.allowed_targets, TEST),
)


def me() -> Partner:
    partner = logins.partner_of(user_of(app.current_event), claims_of(app.current_event))
    logger.append_keys(partner_id=partner.partner_id)
    return partner


@app.get("/api/v1/partner/profile")
def get_profile() -> Response[Any]:
    return success("Profile found", Profile.from_entity(me()))


@app.put("/api/v1/partner/profile")
def put_profile() -> Response[Any]:
    change = profile.update(me(), json_object(app.current_event))
    return success("Profile updated", Profile.from_entity(change.after), warnings=change.warnings)


@app.post("/api/v1/partner/profile/secret")
def rotate_secret() -> Response[Any]:
    return success("Signing secret rotated", profile.rotate_secret(me()))


@app.post("/api/v1/partner/profile/test")
def send_test() -> Response[Any]:
    tried = profile.try_out(me(), parse_body(app.current_event, SampleRequest))
    logger.info("test postback sent", extra={"status_code": tried.response.status_code, "ms": tried.response.ms})
    return success("Test postback sent", tried)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
