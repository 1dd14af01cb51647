"""Rows can be looked up by any text that a caller sends."""

from typing import Any

import pytest

from ricochet.delivery.partners.partners_table import PartnersTable


class Client:
    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []

    def get_item(self, **call: Any) -> dict[str, Any]:
        self.keys.append(call["Key"])
        return {}


@pytest.mark.parametrize("partner_id", ["", "x" * 1025, "\u00e4" * 513])
def test_impossible_key_is_not_looked_up(partner_id):
    client = Client()
    assert PartnersTable(client, "partners").get(partner_id) is None
    assert client.keys == []


@pytest.mark.parametrize("partner_id", ["x", "x" * 1024, "\u00e4" * 512])
def test_possible_key_is_looked_up(partner_id):
    client = Client()
    assert PartnersTable(client, "partners").get(partner_id) is None
    assert client.keys == [{"partnerId": {"S": partner_id}}]
