"""The audit log of operators' changes: who, what, before and after, and no secrets."""

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ricochet.audit import AuditLog
from ricochet.clicks.product import Caps
from ricochet.intake.network import Network
from ricochet.intake.raw_postback import receipt_of
from ricochet.telemetry import logger
from ricochet.values.change import Change
from ricochet.values.statuses import Status
from tests.unit.builders import NOON, InMemoryLedger, a_partner, a_postback, a_product, a_report

LAYER = Path(__file__).parents[2] / "layers" / "ricochet"


@pytest.fixture
def lines():
    """Return the lines that the logger has written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logger.registered_formatter)
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logger.removeHandler(handler)


def audit(action, resource_id, before, after, reason=None):
    AuditLog(lambda: "op_1").record_change(action, resource_id, Change(before, after), reason)


def only(lines):
    (line,) = lines()
    assert (line["message"], line["level"]) == ("audit", "INFO")
    return line["audit"]


def test_a_change_shows_only_what_differs_before_and_after(lines):
    before = a_product(caps=Caps(per_user=1), earn_up_to=5)
    audit("product.updated", "prod_1", before, before.with_changes(caps=Caps(per_user=2), revision=2))
    assert only(lines) == {
        "who": "op_1",
        "action": "product.updated",
        "resource": "prod_1",
        "before": {"caps": {"perUser": 1}},
        "after": {"caps": {"perUser": 2}},
    }


def test_a_new_entity_is_logged_in_full(lines):
    audit("product.created", "prod_1", None, a_product())
    line = only(lines)
    assert line["before"] == {}
    assert (line["after"]["name"], line["after"]["earnUpTo"], line["after"]["status"]) == ("Shop", "5", "active")


@pytest.mark.parametrize(
    ("before", "changes", "field"),
    [
        (a_product(), {"postback_token_hash": "new"}, "postbackTokenHash"),
        (a_product(postback_secret="old"), {"postback_secret": "new"}, "postbackSecret"),
        (a_partner(), {"signing_secret": "new"}, "signingSecret"),
        (Network(unique_key="old", secret="old", created_at=NOON, updated_at=NOON), {"secret": "new"}, "secret"),
        (
            Network(unique_key="old", secret="old", created_at=NOON, updated_at=NOON),
            {"unique_key": "new"},
            "uniqueKey",
        ),
    ],
)
def test_a_changed_secret_is_logged_masked(lines, before, changes, field):
    audit("updated", "it", before, before.with_changes(**changes))
    line = only(lines)
    assert (line["before"], line["after"]) == ({field: "***"}, {field: "***"})


def test_a_url_is_logged_with_its_macros_and_without_its_secrets(lines):
    url = "https://partner.example/cb?click={click_id}&api_key=abc&sub={sub1}&Token=x&pwd=y&keyword=shoes&author=ann"
    audit("partner.created", "part_1", None, a_partner(postback_url=url))
    shown = "click={click_id}&api_key=***&sub={sub1}&Token=***&pwd=***&keyword=shoes&author=ann"
    assert only(lines)["after"]["postbackUrl"] == f"https://partner.example/cb?{shown}"


def test_fields_that_may_contain_secrets_or_people_are_logged_masked(lines):
    before = a_partner(body_template='{"api_key": "s3cret"}', logins=("user_1",))
    after = before.with_changes(body_template='{"api_key": "new"}', logins=("user_2",))
    audit("partner.updated", "part_1", before, after)
    line = only(lines)
    assert line["before"] == line["after"] == {"bodyTemplate": "***", "logins": "***"}


def test_an_empty_masked_field_is_shown_as_empty(lines):
    audit("partner.updated", "part_1", a_partner(logins=("user_1",)), a_partner())
    assert only(lines)["after"] == {"logins": []}


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR", "CRITICAL"])
def test_audit_lines_are_written_at_every_log_level_in_the_common_format(level):
    program = (
        "from ricochet import audit, telemetry\n"
        "telemetry.logger.append_keys(partner_id='part_1')\n"
        "telemetry.logger.info('not asked for')\n"
        "audit.AuditLog(lambda: 'op_1').record_run('deliveries.replayed', 'part_1', {'replayed': 2})\n"
    )
    settings = {"POWERTOOLS_LOG_LEVEL": level, "POWERTOOLS_SERVICE_NAME": "manage_deliveries"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | settings | {"PYTHONPATH": str(LAYER)},
        capture_output=True,
        text=True,
        check=True,
    )
    line = json.loads(done.stdout.splitlines()[-1])
    assert len(done.stdout.splitlines()) == (2 if level == "DEBUG" else 1)
    assert (line["message"], line["level"], line["service"]) == ("audit", "INFO", "manage_deliveries")
    assert line["partner_id"] == "part_1"
    assert line["audit"]["result"] == {"replayed": 2}


def test_a_decision_is_logged_with_its_reason_and_without_bookkeeping(lines):
    ledger = InMemoryLedger(a_product(approval="manual"))
    before = ledger.report(a_report()).conversion
    after = ledger.decide(before.conversion_id, Status.REJECTED).conversion
    audit("conversion.corrected", before.conversion_id, before, after, "a test account")
    line = only(lines)
    assert line["reason"] == "a test account"
    assert set(line["before"]) == {"status", "version", "holdReason", "updatedAt"}
    assert set(line["after"]) == {"status", "version", "updatedAt", "changedBy"}


def test_a_change_of_nothing_is_not_logged(lines):
    audit("receipt.replayed", "RCPT-1", a_product(), a_product())
    assert lines() == []


def test_a_receipt_is_logged_without_its_request_data(lines):
    postback = a_postback(query="email=ann@example.com", body=b"\xff", headers={"user-agent": "x"})
    receipt = receipt_of(postback, "credited", trusted=True, secret_fields=frozenset())
    audit("receipt.replayed", receipt.receipt_id, None, receipt)
    assert {"query", "body", "headers", "sourceIp"}.isdisjoint(only(lines)["after"])
