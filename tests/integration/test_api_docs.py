"""The deployed API does what its description says: nothing fails, and every answer is one that is described."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api_docs.document import PATH
from local.accounts import Account, sign_in
from local.client import Client
from tests.integration.conftest import eventually
from tests.integration.described import described
from tests.integration.test_admin import listed

EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
DOCUMENT = schemathesis.openapi.from_path(PATH)
DOCUMENT.config.generation.update(with_security_parameters=False)
DOCUMENT.config.phases.coverage.enabled = False


@pytest.fixture(scope="module")
def caller(new_person):
    return new_person()


@pytest.fixture(scope="module")
def login(stack) -> Account:
    return sign_in(stack, "docs-login", "partners")


@pytest.fixture(scope="module")
def sessions(stack, admin, caller, login) -> dict[str, requests.Session]:
    """By how the path begins."""
    return {
        "/api/v1/admin/": admin.session,
        "/api/v1/partner/": described(Client(stack.api_url, login.token)).session,
        "/api/v1/earn/": caller.app.session,
        "/": Client("").session,
    }


@pytest.fixture(scope="module")
def known(admin, caller, public, new_product, login, partners) -> dict[str, str]:
    """Ids of what is there, by the names of the parameters that take them."""
    product = new_product(postbackAuth={"mode": "open"}, approval="auto", multipleConversions=True)
    told = {"postbackUrl": f"{partners.url}/ok/docs", "filters": {"productIds": [product.product_id]}}
    partner_id = admin.create("partners", name="Told", logins=[login.user_id], **told).data["partnerId"]
    click_id = caller.app.click(product.product_id).data["clickId"]
    public.postback(click_id, amount="1.5", transactionId="t-1")
    receipts = admin.get("/api/v1/admin/receipts", clickId=click_id).data["items"]
    eventually(lambda: admin.get("/api/v1/admin/deliveries", partnerId=partner_id).data["items"], "the delivery")
    network = admin.create("networks", name="Any").data
    return {
        "productId": product.product_id,
        "partnerId": partner_id,
        "conversionId": receipts[0]["conversionId"],
        "version": "1",
        "networkId": network["networkId"],
        "uniqueKey": network["uniqueKey"],
        "clickId": click_id,
        "click_id": click_id,
        "receiptId": receipts[0]["receiptId"],
        "userId": caller.user_id,
        "earningId": receipts[0]["earningId"],
    }


@pytest.fixture(autouse=True)
def _left_quiet(admin):
    """Partners that were made up are told nothing: other tests count what is told."""
    before = listed(admin, "partners", "partnerId", status="active")
    yield
    for partner_id in listed(admin, "partners", "partnerId", status="active") - before:
        admin.patch("partners", partner_id, status="archived")


@DOCUMENT.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_an_operation_answers_as_described(case, stack, sessions, known):
    """Once as generated, and once about what is there."""
    session = next(session for path, session in sessions.items() if case.path.startswith(path))
    for request in filter(None, (case, about(known, case))):
        request.call_and_validate(stack.api_url, session, checks=CHECKS)


def test_the_document_is_served_as_it_was_made(public):
    assert public.get("/openapi.json").body == json.loads(PATH.read_text(encoding="utf-8"))


def test_the_page_is_served(public):
    assert "<title>Ricochet API</title>" in public.get("/docs").body


def about(known: dict[str, str], case: Case) -> Case | None:
    """The same request with ids that are there in the places that take one; None if there are none."""
    path, query = replaced(case.path_parameters, known), replaced(case.query, known)
    if (path, query) == (case.path_parameters, case.query):
        return None
    return case.operation.Case(
        path_parameters=path, query=query, headers=case.headers, body=case.body, media_type=case.media_type
    )


def replaced(parameters: Any, known: dict[str, str]) -> Any:
    return parameters and {name: known.get(name, value) for name, value in parameters.items()}
