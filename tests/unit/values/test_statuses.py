"""The state machine: every transition, and the status names of networks."""

import pytest

from ricochet.values.statuses import LEAD_WORDS, Status, next_status, parse_status

# Rows: what the conversion is. Columns: what its source reports. A dot: it stays as it is.
TABLE = """
            pending   approved  rejected  trash     reversed
unknown     pending   approved  rejected  trash     reversed
pending     .         approved  rejected  trash     rejected
approved    .         .         reversed  reversed  reversed
rejected    .         .         .         .         .
trash       .         .         .         .         .
reversed    .         .         .         .         .
"""
WITH_REAPPROVAL = {("rejected", "approved"): "approved", ("trash", "approved"): "approved"}


def pairs() -> list[tuple[str, str, str]]:
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [(row[0], reported, cell) for row in rows for reported, cell in zip(header, row[1:], strict=True)]


def status_of(name: str) -> Status | None:
    return None if name in {"unknown", "."} else Status(name)


def test_the_table_has_every_pair():
    assert len(pairs()) == (len(Status) + 1) * len(Status)


@pytest.mark.parametrize(("current", "reported", "follows"), pairs())
def test_a_status_changes_as_the_table_says(current, reported, follows):
    assert next_status(status_of(current), Status(reported)) == status_of(follows)


@pytest.mark.parametrize(("current", "reported", "follows"), pairs())
def test_reapproval_adds_exactly_two_transitions(current, reported, follows):
    follows = WITH_REAPPROVAL.get((current, reported), follows)
    assert next_status(status_of(current), Status(reported), allow_reapproval=True) == status_of(follows)


STATUS_NAMES = {
    Status.PENDING: "lead hold wait new pending reviewing",
    Status.APPROVED: "approved completed complete sale purchase credited success confirmed pass bill neworder",
    Status.REJECTED: "reject rejected declined cancelled canceled",
    Status.TRASH: "trash spam invalid duplicate",
    Status.REVERSED: "refund rfnd chargeback cgbk insf",
}


@pytest.mark.parametrize(
    ("status", "name"), [(status, name) for status in STATUS_NAMES for name in STATUS_NAMES[status].split()]
)
def test_status_names_of_networks_are_parsed_in_any_spelling(status, name):
    assert parse_status(name) is status
    assert parse_status(name.upper()) is status
    assert parse_status(f" {name[:2]}-{name[2:]}_") is status


@pytest.mark.parametrize("status", Status)
def test_a_status_is_parsed_from_its_own_name(status):
    assert parse_status(status) is status


@pytest.mark.parametrize("name", ["", "1", "2", "-1", "0", "true", "ok", "yes", "purchased!", "{status}", "lead/sale"])
def test_an_unknown_name_or_number_is_not_a_status(name):
    assert parse_status(name) is None


def test_partners_are_sent_lead_words():
    assert [status.lead_word for status in Status] == ["Lead", "Purchase", "Reject", "Trash", "Reject"]
    assert set(LEAD_WORDS) == set(Status)
