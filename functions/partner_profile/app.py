"""/api/v1/partner/profile: a partner sets up itself what it receives, and tries it out."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import claims_of, json_object, parse_body, partners_only, resolver, success, user_of
from ricochet.audit import audit
from ricochet.clients import dynamodb
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_logins import PartnerLogins
from ricochet.delivery.partners.partner_profile import TEST, PartnerProfile, SampleRequest, profile
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.settings import LoginSettings, TargetSettings
from ricochet.http.client import Sender
from ricochet.settings import GroupSettings
from ricochet.telemetry import logger


class Settings(LoginSettings, TargetSettings, GroupSettings):
    pass


app = resolver()
settings = Settings.load(os.environ)
partners_only(app, settings.groups_claim)
logins, targets = PartnerLogins.from_settings(dynamodb(), settings), settings.allowed_targets
change = PartnerProfile(PartnersTable(dynamodb(), settings.partners_table), targets, Sender(targets, TEST))


def me() -> Partner:
    partner = logins.partner_of(user_of(app.current_event), claims_of(app.current_event))
    logger.append_keys(partner_id=partner.partner_id)
    return partner


@app.get("/api/v1/partner/profile")
def get_profile() -> Response[Any]:
    return success("Profile found", profile(me()))


@app.put("/api/v1/partner/profile")
def put_profile() -> Response[Any]:
    before = me()
    saved = change.update(before, json_object(app.current_event))
    audit(user_of(app.current_event), "profile.updated", before.partner_id, before, saved.partner)
    return success("Profile updated", profile(saved.partner), warnings=saved.warnings)


@app.post("/api/v1/partner/profile/secret")
def rotate_secret() -> Response[Any]:
    before = me()
    saved = change.rotate_secret(before)
    audit(user_of(app.current_event), "secret.rotated", before.partner_id, before, saved.partner)
    both_until = saved.partner.previous_secret_until
    return success("Signing secret rotated", {"signingSecret": saved.secret, "previousSecretUntil": both_until})


@app.post("/api/v1/partner/profile/test")
def send_test() -> Response[Any]:
    tried = change.try_out(me(), parse_body(app.current_event, SampleRequest))
    logger.info("test postback sent", extra={"status_code": tried.attempt.status_code, "ms": tried.attempt.ms})
    return success("Test postback sent", tried.to_json())


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
