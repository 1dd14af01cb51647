"""What the log keeps of operators' doings: who, what, before and after, and no secrets."""

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
from tests.unit.builders import NOON, Books, a_partner, a_postback, a_product, a_report

LAYER = Path(__file__).parents[2] / "layers" / "ricochet"


@pytest.fixture
def lines():
    """The lines that the logger writes, as they reach the log."""
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


def test_a_change_says_what_differs_and_what_it_was(lines):
    before = a_product(caps=Caps(per_user=1), earn_up_to=5)
    audit("product.updated", "prod_1", before, before.with_changes(caps=Caps(per_user=2), revision=2))
    assert only(lines) == {
        "who": "op_1",
        "action": "product.updated",
        "resource": "prod_1",
        "before": {"caps": {"perUser": 1}},
        "after": {"caps": {"perUser": 2}},
    }


def test_what_is_new_is_told_whole(lines):
    audit("product.created", "prod_1", None, a_product())
    line = only(lines)
    assert line["before"] == {}
    assert (line["after"]["name"], line["after"]["earnUpTo"], line["after"]["status"]) == ("Shop", "5", "active")


@pytest.mark.parametrize(
    ("before", "changes", "field"),
    [
        (a_product(), {"postback_token_hash": "anew"}, "postbackTokenHash"),
        (a_product(postback_secret="old"), {"postback_secret": "anew"}, "postbackSecret"),
        (a_partner(), {"signing_secret": "anew"}, "signingSecret"),
        (Network(unique_key="old", secret="old", created_at=NOON, updated_at=NOON), {"secret": "anew"}, "secret"),
        (
            Network(unique_key="old", secret="old", created_at=NOON, updated_at=NOON),
            {"unique_key": "anew"},
            "uniqueKey",
        ),
    ],
)
def test_that_a_secret_changed_is_told_and_the_secret_is_not(lines, before, changes, field):
    audit("updated", "it", before, before.with_changes(**changes))
    line = only(lines)
    assert (line["before"], line["after"]) == ({field: "***"}, {field: "***"})


def test_a_url_is_told_with_its_macros_and_without_its_secrets(lines):
    url = "https://partner.example/cb?click={click_id}&api_key=abc&sub={sub1}&Token=x&pwd=y&keyword=shoes&author=ann"
    audit("partner.created", "part_1", None, a_partner(postback_url=url))
    shown = "click={click_id}&api_key=***&sub={sub1}&Token=***&pwd=***&keyword=shoes&author=ann"
    assert only(lines)["after"]["postbackUrl"] == f"https://partner.example/cb?{shown}"


def test_of_what_may_hold_secrets_or_name_people_it_is_told_that_it_changed(lines):
    before = a_partner(body_template='{"api_key": "s3cret"}', logins=("user_1",))
    after = before.with_changes(body_template='{"api_key": "anew"}', logins=("user_2",))
    audit("partner.updated", "part_1", before, after)
    line = only(lines)
    assert line["before"] == line["after"] == {"bodyTemplate": "***", "logins": "***"}


def test_that_there_is_none_of_these_is_no_secret(lines):
    audit("partner.updated", "part_1", a_partner(logins=("user_1",)), a_partner())
    assert only(lines)["after"] == {"logins": []}


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR", "CRITICAL"])
def test_whatever_the_log_level_audit_lines_are_written_as_all_lines_are(level):
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


def test_of_a_decision_the_reason_is_told_and_the_bookkeeping_is_not(lines):
    books = Books(a_product(approval="manual"))
    before = books.tell(a_report()).conversion
    after = books.decide(before.conversion_id, Status.REJECTED).conversion
    audit("conversion.corrected", before.conversion_id, before, after, "a test account")
    line = only(lines)
    assert line["reason"] == "a test account"
    assert set(line["before"]) == {"status", "version", "holdReason", "updatedAt"}
    assert set(line["after"]) == {"status", "version", "updatedAt", "changedBy"}


def test_what_changed_nothing_is_not_told(lines):
    audit("receipt.replayed", "RCPT-1", a_product(), a_product())
    assert lines() == []


def test_a_receipt_shows_nothing_of_what_a_person_sent(lines):
    postback = a_postback(query="email=ann@example.com", body=b"\xff", headers={"user-agent": "x"})
    receipt = receipt_of(postback, "credited", trusted=True, secret_fields=frozenset())
    audit("receipt.replayed", receipt.receipt_id, None, receipt)
    assert {"query", "body", "headers", "sourceIp"}.isdisjoint(only(lines)["after"])
