"""The logs of the deployed functions: enough to follow a conversion, and nothing private."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.stack import Stack
from ricochet.metrics import Metric
from tests.integration import network_requests
from tests.integration.functions import denied
from tests.integration.rows import Rows
from tests.integration.test_referrals import refer
from tests.waiting import eventually

UNKNOWN_ADDRESS = "198.51.100.77"
USER_AGENT = "PhoneOfSomebody/4.2"


@dataclass
class Story:
    """The ids of what happened, and texts that must never be in a log."""

    conversion_id: str = ""
    click_id: str = ""
    paused_network_id: str = ""
    private: dict[str, str] = field(default_factory=dict)


def lines(stack: Stack) -> list[tuple[str, str]]:
    """Return (log group, line) of everything that the stack has logged."""
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
    """A click that is credited after a refusal and delivered to a flaky partner; and postbacks of networks."""
    story = Story()
    referrer, person = new_person(), new_person()
    assert refer(referrer, person).status == 200
    product = new_product()
    partner_url = (
        f"{partners.url}/flaky/{product.product_id}?apikey=pk-of-the-partner&click={{click_id}}&user={{user_id}}"
    )
    filters = {"productIds": [product.product_id]}
    partner = admin.create("partners", name="Flaky", postbackUrl=partner_url, filters=filters).data
    traced = {"User-Agent": USER_AGENT, "X-Forwarded-For": UNKNOWN_ADDRESS}
    person.app.call("GET", "/api/v1/earn/wallet", headers=traced)
    story.click_id = person.app.click(product.product_id, sub1="tag-of-the-app").data["clickId"]
    public.track(story.click_id)
    public.postback(story.click_id, token="pbt_guessed", amount=5)
    with denied(stack, "ReceivePostback", "dynamodb:GetItem"):
        assert public.postback(story.click_id, token=product.token, amount=7, transactionId="t-logged").status == 202
    eventually(lambda: person.app.wallet()["balance"] == 7, "the credit")
    secret = "secret-of-the-network"
    network = admin.create("networks", name="Ayet", preset="ayet", secret=secret, creditBy="user").data
    preset = next(one for one in network_requests.NETWORKS if one.preset == "ayet")
    for key, transaction in ((secret, "n-1"), ("another-secret", "n-2")):
        conversion = network_requests.Conversion(person.user_id, transaction)
        request = preset.build(conversion, key, network["postbackUrl"])
        public.network_postback(network["uniqueKey"], params=request.query, headers=request.headers)
    paused = admin.create("networks", name="Paused", preset="generic", status="paused").data
    story.paused_network_id = paused["networkId"]
    assert public.network_postback(paused["uniqueKey"], params={"click_id": story.click_id}).status == 404
    with denied(stack, "ReceiveNetworkPostback", "dynamodb:GetItem"):
        assert public.network_postback(paused["uniqueKey"], params={"click_id": story.click_id}).status == 202
    assert public.network_postback("nobody-has-this-key", params={"click_id": story.click_id}).status == 404
    rows = Rows(stack)
    (conversion,) = eventually(lambda: rows.conversions(story.click_id), "the conversion")
    story.conversion_id = conversion["conversionId"]
    eventually(lambda: [row for row in rows.deliveries(story.click_id) if row.state == "delivered"], "the delivery")
    eventually(lambda: referrer.app.wallet()["balance"] > 0, "the commission")
    story.private = {
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
    return story


def test_every_function_logs_the_ids_of_the_conversion(stack: Stack, story: Story):
    def services() -> set[str] | None:
        found = {
            document["service"]
            for document in documents(stack)
            if story.conversion_id in (document.get("conversion_id"), "") or document.get("click_id") == story.click_id
        }
        wanted = {"create_click", "receive_postback", "retry_postbacks", "distribute_conversions", "credit_referrals"}
        return found if wanted | {"retry_deliveries"} <= found else None

    assert eventually(services, "a line of each function that took part")


def test_logs_contain_nothing_private(stack: Stack, story: Story):
    eventually(
        lambda: [line for group, line in lines(stack) if group == "receive_network_postback"],
        "the lines of the network's postbacks",
    )
    found = {(what, group) for group, line in lines(stack) for what, text in story.private.items() if text in line}
    assert found == set()


def test_a_refused_postback_is_logged_with_its_code_and_source(stack: Stack, story: Story):
    def refusals() -> list[dict[str, Any]]:
        return [document for document in documents(stack) if document.get("message") == "postback refused"]

    (ours,) = eventually(
        lambda: [document for document in refusals() if document.get("click_id") == story.click_id], "the line"
    )
    assert ours["code"] == "POSTBACK_NOT_AUTHENTICATED"
    assert ours["product_id"]
    eventually(lambda: [document for document in refusals() if document.get("network_id")], "a line of the network")


def test_a_postback_to_an_unused_network_key_is_logged_too(stack: Stack, story: Story):
    def refused() -> set[str | None]:
        found = [document for document in documents(stack) if document.get("message") == "postback refused"]
        return {document.get("network_id") for document in found if document["code"] == "NETWORK_NOT_FOUND"}

    eventually(lambda: refused() >= {story.paused_network_id, None}, "the lines")


def test_a_postback_that_failed_on_our_side_is_logged_with_its_ids(stack: Stack, story: Story):
    def failures(service: str) -> list[dict[str, Any]]:
        found = [document for document in documents(stack) if document.get("message") == "postback failed on our side"]
        return [document for document in found if document["service"] == service]

    eventually(
        lambda: story.paused_network_id in {document.get("network_id") for document in failures("retry_postbacks")},
        "the line of the queued postback whose network is paused",
    )
    eventually(
        lambda: story.click_id in {document.get("click_id") for document in failures("receive_postback")},
        "the line of the postback that was queued",
    )
    eventually(lambda: failures("receive_network_postback"), "the line of a network that could not be looked up")


def test_a_visit_is_logged_once_with_its_click(stack: Stack, story: Story):
    def visits() -> int:
        found = [document["click_id"] for document in documents(stack) if document.get("message") == "visit"]
        return found.count(story.click_id)

    assert eventually(visits, "the line") == 1


def counted(stack: Stack) -> set[str]:
    return {
        metric["Name"]
        for line in metric_lines(stack)
        for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }


def test_every_event_was_counted_by_a_metric(stack: Stack, story: Story):
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
    eventually(lambda: expected <= counted(stack), "a metric line of each function that took part")
    assert counted(stack) <= {metric.title for metric in Metric}


def test_metric_lines_are_short_and_belong_to_this_stack(stack: Stack, story: Story):
    for line in metric_lines(stack):
        document = json.loads(line)
        assert len(line) <= 1024
        assert document["service"] == "ricochet"
        assert [one["Namespace"] for one in document["_aws"]["CloudWatchMetrics"]] == [f"Ricochet/{stack.name}"]
