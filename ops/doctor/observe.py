"""Look up the facts about a stack that the doctor judges."""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import requests

from ops.doctor.facts import Alarm, Deployment, Endpoint, OpenDeliveries, Queue, SourceReceipts, Trigger
from ops.doctor.judge import SILENT_DAYS
from ops.listing import every
from ops.parallel import run_in_parallel
from ops.stacks import Stack
from ricochet.delivery.delivery import Delivery, DeliveryState, shards_of
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.settings import TargetSettings
from ricochet.errors import RequestError, TargetRefusedError
from ricochet.http.addresses import AllowedTargets
from ricochet.http.plain_url import DEFAULT_PORTS
from ricochet.http.resolver import vetted_addresses
from ricochet.ledger.receipt import Receipt
from ricochet.values import times
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.times import Moment

CONNECT_SECONDS = 3
ROWS_PER_SHARD = 250
LATEST_RECEIPTS = 20
METRIC_MINUTES = 15
UNKNOWN_CLICK_ID = "00000000-0000-4000-8000-000000000000"
_ANSWER_LENGTH = 120


def deployment(stack: Stack) -> Deployment:
    """Request a click that does not exist: the right answer needs the API, a function and a table to work together."""
    if not stack.is_deployed:
        return Deployment(stack.status, None)
    url = f"{stack.api_url}/api/v1/earn/track/{UNKNOWN_CLICK_ID}"
    try:
        response = requests.get(url, timeout=15)
        answer = f"{response.status_code}: {response.text[:_ANSWER_LENGTH]}"
        works = "CLICK_NOT_FOUND" in response.text
    except requests.RequestException as error:
        answer, works = type(error).__name__, False
    return Deployment(stack.status, stack.api_url, answer, works)


def tables(stack: Stack) -> dict[str, str]:
    """Return each table's state by its name in the template; MISSING if the table does not exist."""

    def state(output: str) -> str:
        try:
            return stack.dynamodb.describe_table(TableName=stack.outputs[output])["Table"]["TableStatus"]
        except stack.dynamodb.exceptions.ResourceNotFoundException:
            return "MISSING"

    outputs = sorted(name for name in stack.outputs if name.endswith("Table"))
    states = run_in_parallel(state, outputs)
    return dict(zip([name.removesuffix("Table") for name in outputs], states, strict=True))


def triggers(stack: Stack) -> list[Trigger]:
    def mapping(ids: tuple[str, str]) -> Trigger:
        name, uuid = ids
        reply = stack.lambda_.get_event_source_mapping(UUID=uuid)
        return Trigger(name, reply["State"], reply.get("LastProcessingResult", ""))

    def rule(ids: tuple[str, str]) -> Trigger:
        name, rule_name = ids
        return Trigger(name, stack.events.describe_rule(Name=rule_name)["State"])

    mappings, rules = _resources(stack, "Lambda::EventSourceMapping"), _resources(stack, "Events::Rule")
    return run_in_parallel(mapping, mappings) + run_in_parallel(rule, rules)


def partners(stack: Stack) -> list[Partner]:
    return sorted(stack.partners.all(), key=lambda partner: partner.partner_id)


def endpoints(stack: Stack) -> list[Endpoint]:
    """Connect to the server of each active partner as a delivery would, without sending anything."""
    allowed = stack.settings(TargetSettings).allowed_targets
    partners_at: dict[tuple[str, int], list[str]] = defaultdict(list)
    for partner in stack.partners.active():
        url = urlsplit(partner.postback_url)
        partners_at[url.hostname or "", url.port or DEFAULT_PORTS.get(url.scheme, 0)].append(partner.partner_id)
    errors = run_in_parallel(lambda address: _connection_error(*address, allowed), partners_at)
    return [
        Endpoint(f"{host}:{port}", tuple(sorted(partner_ids)), error, is_demo=f"{host}:{port}" == stack.demo_partners)
        for ((host, port), partner_ids), error in zip(partners_at.items(), errors, strict=True)
    ]


def _connection_error(host: str, port: int, allowed: AllowedTargets) -> str | None:
    """Return why no connection can be made, or None if one can."""
    try:
        addresses = vetted_addresses(host, port, allowed, socket.getaddrinfo)
    except TargetRefusedError as refusal:
        return refusal.message
    except (OSError, UnicodeError):
        return "the host name has no address"
    problem = "no address"
    for address in addresses:
        try:
            socket.create_connection((address, port), CONNECT_SECONDS).close()
        except TimeoutError:
            problem = f"no connection within {CONNECT_SECONDS} s"
        except OSError as error:
            problem = (error.strerror or type(error).__name__).lower()
        else:
            return None
    return problem


def postbacks(stack: Stack) -> list[SourceReceipts]:
    now = times.now()
    sources = [f"product:{product.product_id}" for product in every(_active_products(stack))]
    sources += [network.source for network in every(stack.networks.list_page) if network.status is Lifecycle.ACTIVE]
    return run_in_parallel(lambda source: _receipts_of(stack, source, now), sources)


def _active_products(stack: Stack) -> Callable[[int, str | None], Any]:
    return lambda limit, cursor: stack.products.list_page(Lifecycle.ACTIVE, limit, cursor)


def _receipts_of(stack: Stack, source: str, now: Moment) -> SourceReceipts:
    """Look back day by day, until there is a receipt or the source has been silent for too long."""
    today = times.parse(now)
    for back in range(SILENT_DAYS + 1):
        day = (today - timedelta(days=back)).date().isoformat()
        latest = stack.receipts.of_day(source, day, None, LATEST_RECEIPTS, None).items
        if latest:
            return _summarize(source, latest, times.plus(now, days=-1))
    return SourceReceipts(source)


def _summarize(source: str, latest: list[Receipt], since: str) -> SourceReceipts:
    outcomes = Counter(receipt.outcome for receipt in latest if receipt.received_at >= since)
    refused = {outcome: count for outcome, count in outcomes.items() if outcome in refusal_outcomes()}
    return SourceReceipts(source, latest[0].received_at, outcomes.total() - sum(refused.values()), refused)


def refusal_outcomes() -> set[str]:
    """Return every outcome of a receipt that means that the postback was refused."""
    outcomes, classes = set[str](), [RequestError]
    while classes:
        error_class = classes.pop()
        outcomes.add(error_class.code.lower())
        classes += error_class.__subclasses__()
    return outcomes


def deliveries(stack: Stack) -> OpenDeliveries:
    retrying, parked = (_in_state(stack, state) for state in (DeliveryState.RETRYING, DeliveryState.PARKED))
    return OpenDeliveries(
        retrying=tuple(row for rows in retrying for row in rows),
        parked=tuple(row for rows in parked for row in rows),
        is_all=all(len(rows) < ROWS_PER_SHARD for rows in [*retrying, *parked]),
        partners=tuple(stack.partners.all()),
        health=stack.health.of_partners(),
    )


def _in_state(stack: Stack, state: DeliveryState) -> list[list[Delivery]]:
    """Return the oldest rows of each shard: enough to see what is wrong without reading a whole backlog."""
    return run_in_parallel(
        lambda shard: list(islice(stack.deliveries.in_state(shard), ROWS_PER_SHARD)), shards_of(state)
    )


def queues(stack: Stack) -> list[Queue]:
    urls = {name.removesuffix("QueueUrl"): url for name, url in stack.outputs.items() if name.endswith("QueueUrl")}
    ages = _oldest_ages(stack, urls)
    all_counts = run_in_parallel(lambda url: _message_counts(stack, url), urls.values())
    return [
        Queue(
            name,
            visible=int(counts["ApproximateNumberOfMessages"]),
            in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(counts["ApproximateNumberOfMessagesDelayed"]),
            oldest_seconds=ages.get(name),
        )
        for name, counts in zip(urls, all_counts, strict=True)
    ]


def _message_counts(stack: Stack, url: str) -> dict[str, str]:
    counts: Any = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return dict(counts)


def _oldest_ages(stack: Stack, urls: dict[str, str]) -> dict[str, float]:
    """Return the age of each queue's oldest message in seconds, as CloudWatch last recorded it."""
    now = times.now()
    queries: Any = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for number, url in enumerate(urls.values())
    ]
    reply = stack.cloudwatch.get_metric_data(
        MetricDataQueries=queries,
        StartTime=times.parse(now) - timedelta(minutes=METRIC_MINUTES),
        EndTime=times.parse(now),
        ScanBy="TimestampDescending",
    )
    names = list(urls)
    return {names[int(one["Id"][1:])]: one["Values"][0] for one in reply["MetricDataResults"] if one["Values"]}


def alarms(stack: Stack) -> list[Alarm]:
    logical_ids = {alarm_name: logical_id for logical_id, alarm_name in _resources(stack, "CloudWatch::Alarm")}
    paginator = stack.cloudwatch.get_paginator("describe_alarms")
    pages = paginator.paginate(AlarmNames=list(logical_ids)) if logical_ids else ()
    return [
        Alarm(
            logical_ids[alarm["AlarmName"]],
            alarm.get("AlarmDescription", ""),
            alarm["StateValue"],
            times.iso(alarm["StateUpdatedTimestamp"]),
        )
        for page in pages
        for alarm in page["MetricAlarms"]
    ]


def _resources(stack: Stack, kind: str) -> list[tuple[str, str]]:
    """Return (logical id, physical id) of every resource of this kind, such as `Events::Rule`."""
    pages = stack.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
    return [
        (resource["LogicalResourceId"], resource["PhysicalResourceId"])
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == f"AWS::{kind}"
    ]
