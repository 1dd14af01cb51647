"""The status in a partner's reply."""

import pytest

from ricochet.delivery.partner_reply import status_in_reply
from ricochet.values.statuses import Status
from tests.unit.builders import a_partner

OWN_NAMES = a_partner(status_words={"approved": "1", "rejected": "2", "reversed": "2", "trash": "Müll"})


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ('{"status": "Purchase"}', Status.APPROVED),
        (' {"id": 7, "status": "REJECT"} ', Status.REJECTED),
        ("status=Trash&id=7", Status.TRASH),
        ("id=7&status=lead", Status.PENDING),
        ("Lead\n", Status.PENDING),
        ("approved", Status.APPROVED),
        ("reversed", Status.REVERSED),
    ],
)
def test_status_is_read_from_json_form_or_plain_text(reply, status):
    assert status_in_reply(reply, a_partner(), Status.PENDING) is status


@pytest.mark.parametrize(
    "reply",
    [
        *(None, "", "OK", "1", "success", '{"status": "success"}', '{"status": "ok"}', "<html>Purchase</html>"),
        *('{"status": 1}', '{"status": null}', '{"status": {"a": "Purchase"}}', '{"state": "Purchase"}'),
        *('{"status": "Purchase"', '["Purchase"]', "status=", "state=Purchase", "Purchase " * 100),
    ],
)
def test_acknowledgement_contains_no_status(reply):
    assert status_in_reply(reply, a_partner(), Status.PENDING) is None


@pytest.mark.parametrize(
    ("reply", "status"),
    [("1", Status.APPROVED), ("status=2", Status.REJECTED), ('{"status": "MÜLL"}', Status.TRASH)],
)
def test_partners_own_status_names_are_understood(reply, status):
    assert status_in_reply(reply, OWN_NAMES, Status.PENDING) is status


def test_echoed_status_name_means_the_status_that_was_sent():
    ambiguous = a_partner(status_words={"pending": "sale", "approved": "sale"})
    assert status_in_reply("sale", ambiguous, Status.PENDING) is Status.PENDING
    assert status_in_reply("sale", ambiguous, Status.APPROVED) is Status.APPROVED
