"""Rows are looked up by whatever a caller wrote into a path or a body."""

from typing import Any

import pytest

from ricochet.delivery.partners.partners_table import PartnersTable


class Client:
    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def get_item(self, **call: Any) -> dict[str, Any]:
        self.asked.append(call["Key"])
        return {}


@pytest.mark.parametrize("partner_id", ["", "x" * 1025, "\u00e4" * 513])
def test_a_key_that_no_row_can_have_is_not_looked_up(partner_id):
    client = Client()
    assert PartnersTable(client, "partners").get(partner_id) is None
    assert client.asked == []


@pytest.mark.parametrize("partner_id", ["x", "x" * 1024, "\u00e4" * 512])
def test_any_other_is(partner_id):
    client = Client()
    assert PartnersTable(client, "partners").get(partner_id) is None
    assert client.asked == [{"partnerId": {"S": partner_id}}]
