"""What a partner's reply calls a conversion."""

import pytest

from ricochet.delivery.partner_reply import status_in_reply
from ricochet.values.statuses import Status
from tests.unit.builders import a_partner

OWN_WORDS = a_partner(status_words={"approved": "1", "rejected": "2", "reversed": "2", "trash": "Müll"})


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
def test_a_reply_names_a_status_in_json_in_a_form_or_bare(reply, status):
    assert status_in_reply(reply, a_partner(), Status.PENDING) is status


@pytest.mark.parametrize(
    "reply",
    [
        *(None, "", "OK", "1", "success", '{"status": "success"}', '{"status": "ok"}', "<html>Purchase</html>"),
        *('{"status": 1}', '{"status": null}', '{"status": {"a": "Purchase"}}', '{"state": "Purchase"}'),
        *('{"status": "Purchase"', '["Purchase"]', "status=", "state=Purchase", "Purchase " * 100),
    ],
)
def test_an_acknowledgement_names_none(reply):
    assert status_in_reply(reply, a_partner(), Status.PENDING) is None


@pytest.mark.parametrize(
    ("reply", "status"),
    [("1", Status.APPROVED), ("status=2", Status.REJECTED), ('{"status": "MÜLL"}', Status.TRASH)],
)
def test_a_partners_own_words_count(reply, status):
    assert status_in_reply(reply, OWN_WORDS, Status.PENDING) is status


def test_an_echo_of_what_a_partner_was_told_means_just_that():
    same_word = a_partner(status_words={"pending": "sale", "approved": "sale"})
    assert status_in_reply("sale", same_word, Status.PENDING) is Status.PENDING
    assert status_in_reply("sale", same_word, Status.APPROVED) is Status.APPROVED
