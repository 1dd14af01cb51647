"""The deployed API matches its description: nothing fails, and every answer is described."""

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
from tests.integration.api_description import checked
from tests.integration.test_admin import listed
from tests.waiting import eventually

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
    """By the prefix of the path."""
    return {
        "/api/v1/admin/": admin.session,
        "/api/v1/partner/": checked(Client(stack.api_url, login.token)).session,
        "/api/v1/earn/": caller.app.session,
        "/": Client("").session,
    }


@pytest.fixture(scope="module")
def known(admin, caller, public, new_product, login, partners) -> dict[str, str]:
    """Ids of existing rows, by the names of the parameters that take them."""
    product = new_product(postbackAuth={"mode": "open"}, approval="auto", multipleConversions=True)
    fields = {"postbackUrl": f"{partners.url}/ok/docs", "filters": {"productIds": [product.product_id]}}
    partner_id = admin.create("partners", name="Subscriber", logins=[login.user_id], **fields).data["partnerId"]
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
def _archived_partners(admin):
    """Archive generated partners: other tests count deliveries."""
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
def test_every_response_matches_the_description(case, stack, sessions, known):
    """Call it as generated, and once more with existing ids."""
    session = next(session for path, session in sessions.items() if case.path.startswith(path))
    for request in filter(None, (case, with_existing_ids(known, case))):
        request.call_and_validate(stack.api_url, session, checks=CHECKS)


def test_the_document_is_served_unchanged(public):
    assert public.get("/openapi.json").body == json.loads(PATH.read_text(encoding="utf-8"))


def test_the_page_is_served(public):
    assert "<title>Ricochet API</title>" in public.get("/docs").body


def with_existing_ids(known: dict[str, str], case: Case) -> Case | None:
    """Return the same request with existing ids; None if it takes none."""
    path, query = replaced(case.path_parameters, known), replaced(case.query, known)
    if (path, query) == (case.path_parameters, case.query):
        return None
    return case.operation.Case(
        path_parameters=path, query=query, headers=case.headers, body=case.body, media_type=case.media_type
    )


def replaced(parameters: Any, known: dict[str, str]) -> Any:
    return parameters and {name: known.get(name, value) for name, value in parameters.items()}
