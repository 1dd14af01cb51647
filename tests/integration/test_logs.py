"""What the deployed functions log: enough to follow a conversion, and nothing that is nobody's business."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.stack import Stack
from ricochet.metrics import Metric
from tests.integration import network_requests
from tests.integration.conftest import Rows, eventually
from tests.integration.test_own_side_failures import forbidden
from tests.integration.test_referrals import bring

UNKNOWN_ADDRESS = "198.51.100.77"
USER_AGENT = "PhoneOfSomebody/4.2"


@dataclass
class Story:
    """What was done, under which ids, and what must never be read in a log."""

    conversion_id: str = ""
    click_id: str = ""
    paused_network_id: str = ""
    private: dict[str, str] = field(default_factory=dict)


def lines(stack: Stack) -> list[tuple[str, str]]:
    """(log group, line) of everything that the stack has logged."""
    names = [
        group["logGroupName"]
        for page in stack.aws.logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=f"/ricochet/{stack.name}/"
        )
        for group in page["logGroups"]
    ]
    pages = stack.aws.logs.get_paginator("filter_log_events")
    return [
        (name.rpartition("/")[2], event["message"])
        for name in names
        for page in pages.paginate(logGroupName=name)
        for event in page["events"]
    ]


def documents(stack: Stack) -> list[dict[str, Any]]:
    return [json.loads(line) for _, line in lines(stack) if line.startswith("{")]


def metric_lines(stack: Stack) -> list[str]:
    return [line for _, line in lines(stack) if '"CloudWatchMetrics"' in line]


@pytest.fixture(scope="module")
def story(stack: Stack, partners, admin, public, new_person, new_product) -> Story:
    """A click by somebody, credited after a refusal, told to a partner that fails once; and a network's postbacks."""
    told = Story()
    referrer, person = new_person(), new_person()
    assert bring(referrer, person).status == 200
    product = new_product()
    partner_url = (
        f"{partners.url}/flaky/{product.product_id}?apikey=pk-of-the-partner&click={{click_id}}&user={{user_id}}"
    )
    filters = {"productIds": [product.product_id]}
    partner = admin.create("partners", name="Flaky", postbackUrl=partner_url, filters=filters).data
    strange = {"User-Agent": USER_AGENT, "X-Forwarded-For": UNKNOWN_ADDRESS}
    person.app.call("GET", "/api/v1/earn/wallet", headers=strange)
    told.click_id = person.app.click(product.product_id, sub1="tag-of-the-app").data["clickId"]
    public.track(told.click_id)
    public.postback(told.click_id, token="pbt_guessed", amount=5)
    with forbidden(stack, "ReceivePostback", "dynamodb:GetItem"):
        assert public.postback(told.click_id, token=product.token, amount=7, transactionId="t-logged").status == 202
    eventually(lambda: person.app.wallet()["balance"] == 7, "the credit")
    secret = "secret-of-the-network"
    network = admin.create("networks", name="Ayet", preset="ayet", secret=secret, creditBy="user").data
    preset = next(one for one in network_requests.NETWORKS if one.preset == "ayet")
    for key, transaction in ((secret, "n-1"), ("another-secret", "n-2")):
        conversion = network_requests.Conversion(person.user_id, transaction)
        request = preset.build(conversion, key, network["postbackUrl"])
        public.network_postback(network["uniqueKey"], params=request.query, headers=request.headers)
    paused = admin.create("networks", name="Paused", preset="generic", status="paused").data
    told.paused_network_id = paused["networkId"]
    assert public.network_postback(paused["uniqueKey"], params={"click_id": told.click_id}).status == 404
    with forbidden(stack, "ReceiveNetworkPostback", "dynamodb:GetItem"):
        assert public.network_postback(paused["uniqueKey"], params={"click_id": told.click_id}).status == 202
    assert public.network_postback("nobody-has-this-key", params={"click_id": told.click_id}).status == 404
    rows = Rows(stack)
    (conversion,) = eventually(lambda: rows.conversions(told.click_id), "the conversion")
    told.conversion_id = conversion["conversionId"]
    eventually(lambda: [row for row in rows.deliveries(told.click_id) if row.state == "delivered"], "the delivery")
    eventually(lambda: referrer.app.wallet()["balance"] > 0, "the commission")
    told.private = {
        "the product's token": product.token or "",
        "a guessed token": "pbt_guessed",
        "the network's secret": secret,
        "the network's key": network["uniqueKey"],
        "a paused network's key": paused["uniqueKey"],
        "a key that nobody has": "nobody-has-this-key",
        "the partner's signing secret": partner["signingSecret"],
        "the secret in the partner's URL": "pk-of-the-partner",
        "a user": person.user_id,
        "a referrer": referrer.user_id,
        "a bearer token": person.account.token.split(".")[2],
        "a user agent": USER_AGENT,
        "an address": UNKNOWN_ADDRESS,
        "a signature": request.headers.get("X-Ayetstudios-Security-Hash", "") or "no signature sent",
    }
    return told


def test_a_conversions_life_is_in_the_logs_under_its_ids(stack: Stack, story: Story):
    def services() -> set[str] | None:
        found = {
            document["service"]
            for document in documents(stack)
            if story.conversion_id in (document.get("conversion_id"), "") or document.get("click_id") == story.click_id
        }
        wanted = {"create_click", "receive_postback", "retry_postbacks", "distribute_conversions", "credit_referrals"}
        return found if wanted | {"retry_deliveries"} <= found else None

    assert eventually(services, "a line of everybody who had a part")


def test_nothing_private_is_in_any_log(stack: Stack, story: Story):
    eventually(lambda: [line for group, line in lines(stack) if group == "receive_network_postback"], "the lines")
    found = {(what, group) for group, line in lines(stack) for what, text in story.private.items() if text in line}
    assert found == set()


def test_why_a_postback_was_refused_is_in_the_log_with_who_sent_it(stack: Stack, story: Story):
    refusals = [document for document in documents(stack) if document.get("message") == "postback refused"]
    (ours,) = [document for document in refusals if document.get("click_id") == story.click_id]
    assert ours["code"] == "POSTBACK_NOT_AUTHENTICATED"
    assert ours["product_id"]
    assert [document for document in refusals if document.get("network_id")]


def test_so_it_is_where_the_networks_key_is_not_in_use(stack: Stack, story: Story):
    def refused() -> set[str | None]:
        found = [document for document in documents(stack) if document.get("message") == "postback refused"]
        return {document.get("network_id") for document in found if document["code"] == "NETWORK_NOT_FOUND"}

    eventually(lambda: refused() >= {story.paused_network_id, None}, "the lines")


def test_a_postback_that_we_failed_on_is_found_by_what_was_known_of_it(stack: Stack, story: Story):
    def failures(service: str) -> list[dict[str, Any]]:
        found = [document for document in documents(stack) if document.get("message") == "postback failed on our side"]
        return [document for document in found if document["service"] == service]

    eventually(lambda: failures("retry_postbacks"), "the line of a queued postback whose network is paused")
    assert story.paused_network_id in {document["network_id"] for document in failures("retry_postbacks")}
    assert story.click_id in {document.get("click_id") for document in failures("receive_postback")}


def test_a_visit_is_in_the_logs_under_its_click(stack: Stack, story: Story):
    visits = [document["click_id"] for document in documents(stack) if document.get("message") == "visit"]
    assert visits.count(story.click_id) == 1


def counted(stack: Stack) -> set[str]:
    return {
        metric["Name"]
        for line in metric_lines(stack)
        for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


def test_what_happened_was_counted(stack: Stack, story: Story):
    expected = {
        metric.title
        for metric in (
            Metric.POSTBACKS_REFUSED,
            Metric.CLICKS_CREATED,
            Metric.VISITS,
            Metric.POSTBACKS_QUEUED,
            Metric.POSTBACK_SIGNATURES_REJECTED,
            Metric.POSTBACKS_CREDITED,
            Metric.CONVERSIONS_APPROVED,
            Metric.AMOUNT_CREDITED,
            Metric.NETWORK_POSTBACKS,
            Metric.REFERRAL_COMMISSIONS,
            Metric.REFERRAL_CREDITED,
            Metric.FIRST_ATTEMPTS_FAILED,
            Metric.RETRIES_DELIVERED,
            Metric.RETRY_AGE,
        )
    }
    eventually(lambda: expected <= counted(stack), "a line of metrics by everybody who had a part")
    assert counted(stack) <= {metric.title for metric in Metric}


def test_lines_of_metrics_are_short_and_of_this_stack(stack: Stack, story: Story):
    for line in metric_lines(stack):
        document = json.loads(line)
        assert len(line) <= 1024
        assert document["service"] == "ricochet"
        assert [one["Namespace"] for one in document["_aws"]["CloudWatchMetrics"]] == [f"Ricochet/{stack.name}"]
