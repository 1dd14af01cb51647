"""Looks up the facts about a stack that the doctor goes by."""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import requests

from ops.diagnosis import SILENT_DAYS
from ops.facts import Alarm, Deployment, OpenDeliveries, Queue, Reach, SourceReceipts, Trigger
from ops.listing import every
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

THREADS = 16
CONNECT_SECONDS = 3
ROWS_OF_A_SHARD = 250
LATEST_RECEIPTS = 20
METRIC_MINUTES = 15
NOBODYS_CLICK = "00000000-0000-4000-8000-000000000000"


def deployment(stack: Stack) -> Deployment:
    """Asks for a click that nobody has: only the API, a function and a table together can say that there is none."""
    if not stack.is_deployed:
        return Deployment(stack.status, None)
    url = f"{stack.api_url}/api/v1/earn/track/{NOBODYS_CLICK}"
    try:
        response = requests.get(url, timeout=15)
        answer, works = f"{response.status_code}: {response.text[:120]}", "CLICK_NOT_FOUND" in response.text
    except requests.RequestException as error:
        answer, works = type(error).__name__, False
    return Deployment(stack.status, stack.api_url, answer, works)


def tables(stack: Stack) -> dict[str, str]:
    """Each table's state, by its name in the template."""

    def state(output: str) -> str:
        try:
            return stack.dynamodb.describe_table(TableName=stack.outputs[output])["Table"]["TableStatus"]
        except stack.dynamodb.exceptions.ResourceNotFoundException:
            return "MISSING"

    outputs = sorted(name for name in stack.outputs if name.endswith("Table"))
    return dict(zip([name.removesuffix("Table") for name in outputs], at_once(state, outputs), strict=True))


def triggers(stack: Stack) -> list[Trigger]:
    def mapping(named: tuple[str, str]) -> Trigger:
        seen = stack.lambda_.get_event_source_mapping(UUID=named[1])
        return Trigger(named[0], seen["State"], seen.get("LastProcessingResult", ""))

    def rule(named: tuple[str, str]) -> Trigger:
        return Trigger(named[0], stack.events.describe_rule(Name=named[1])["State"])

    mappings, rules = _resources(stack, "Lambda::EventSourceMapping"), _resources(stack, "Events::Rule")
    return at_once(mapping, mappings) + at_once(rule, rules)


def partners(stack: Stack) -> list[Partner]:
    return sorted(stack.partners.all(), key=lambda partner: partner.partner_id)


def reach(stack: Stack) -> list[Reach]:
    """Connects to every place where active partners want to be told, as a delivery would, and says nothing there."""
    allowed = stack.settings(TargetSettings).allowed_targets
    wanted: dict[tuple[str, int], list[str]] = defaultdict(list)
    for partner in stack.partners.active():
        parts = urlsplit(partner.postback_url)
        wanted[parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)].append(partner.partner_id)
    errors = at_once(lambda target: _knock(*target, allowed), wanted)
    return [
        Reach(f"{host}:{port}", tuple(sorted(names)), error, is_demo=f"{host}:{port}" == stack.demo_partners)
        for ((host, port), names), error in zip(wanted.items(), errors, strict=True)
    ]


def _knock(host: str, port: int, allowed: AllowedTargets) -> str | None:
    """What keeps a connection from being made, if anything does."""
    try:
        addresses = vetted_addresses(host, port, allowed, socket.getaddrinfo)
    except TargetRefusedError as refusal:
        return refusal.message
    except (OSError, UnicodeError):
        return "the name has no address"
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
    moment = times.now()
    sources = [f"product:{one.product_id}" for one in every(_active_products(stack))]
    sources += [one.source for one in every(stack.networks.list_page) if one.status is Lifecycle.ACTIVE]
    return at_once(lambda source: _receipts_of(stack, source, moment), sources)


def _active_products(stack: Stack) -> Callable[[int, str | None], Any]:
    return lambda limit, cursor: stack.products.list_page(Lifecycle.ACTIVE, limit, cursor)


def _receipts_of(stack: Stack, source: str, moment: str) -> SourceReceipts:
    """The newest, going back as far as silence would be a finding."""
    today = times.parse(moment)
    for back in range(SILENT_DAYS + 1):
        day = (today - timedelta(days=back)).date().isoformat()
        latest = stack.receipts.of_day(source, day, None, LATEST_RECEIPTS, None).items
        if latest:
            return _summed_up(source, latest, times.plus(moment, days=-1))
    return SourceReceipts(source)


def _summed_up(source: str, latest: list[Receipt], since: str) -> SourceReceipts:
    outcomes = Counter(receipt.outcome for receipt in latest if receipt.received_at >= since)
    refused = {outcome: number for outcome, number in outcomes.items() if outcome in refusals()}
    return SourceReceipts(source, latest[0].received_at, outcomes.total() - sum(refused.values()), refused)


def refusals() -> set[str]:
    """Every outcome with which a receipt tells of a refusal."""
    kinds, left = set[str](), [RequestError]
    while left:
        kind = left.pop()
        kinds.add(kind.code.lower())
        left += kind.__subclasses__()
    return kinds


def deliveries(stack: Stack) -> OpenDeliveries:
    retrying, parked = (_in_state(stack, state) for state in (DeliveryState.RETRYING, DeliveryState.PARKED))
    return OpenDeliveries(
        retrying=tuple(row for rows in retrying for row in rows),
        parked=tuple(row for rows in parked for row in rows),
        is_all=all(len(rows) < ROWS_OF_A_SHARD for rows in [*retrying, *parked]),
        partners=tuple(stack.partners.all()),
        health=stack.health.of_partners(),
    )


def _in_state(stack: Stack, state: DeliveryState) -> list[list[Delivery]]:
    """At most so many of each shard, the oldest: enough to tell what is wrong, and never the whole backlog."""
    return at_once(lambda shard: list(islice(stack.deliveries.in_state(shard), ROWS_OF_A_SHARD)), shards_of(state))


def queues(stack: Stack) -> list[Queue]:
    urls = {name.removesuffix("QueueUrl"): url for name, url in stack.outputs.items() if name.endswith("QueueUrl")}
    ages = _oldest(stack, urls)
    return [
        Queue(
            name,
            visible=int(counts["ApproximateNumberOfMessages"]),
            in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(counts["ApproximateNumberOfMessagesDelayed"]),
            oldest_seconds=ages.get(name),
        )
        for name, counts in zip(urls, at_once(lambda url: _counts(stack, url), urls.values()), strict=True)
    ]


def _counts(stack: Stack, url: str) -> dict[str, str]:
    counts: Any = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return dict(counts)


def _oldest(stack: Stack, urls: dict[str, str]) -> dict[str, float]:
    """How old the oldest message of each queue is, as CloudWatch last heard."""
    moment = times.now()
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
        StartTime=times.parse(moment) - timedelta(minutes=METRIC_MINUTES),
        EndTime=times.parse(moment),
        ScanBy="TimestampDescending",
    )
    names = list(urls)
    return {names[int(one["Id"][1:])]: one["Values"][0] for one in reply["MetricDataResults"] if one["Values"]}


def alarms(stack: Stack) -> list[Alarm]:
    names = {real: name for name, real in _resources(stack, "CloudWatch::Alarm")}
    pages = stack.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNames=list(names)) if names else ()
    return [
        Alarm(
            names[one["AlarmName"]],
            one.get("AlarmDescription", ""),
            one["StateValue"],
            times.iso(one["StateUpdatedTimestamp"]),
        )
        for page in pages
        for one in page["MetricAlarms"]
    ]


def _resources(stack: Stack, kind: str) -> list[tuple[str, str]]:
    """(name in the template, name in AWS) of every resource of this kind."""
    pages = stack.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
    return [
        (one["LogicalResourceId"], one["PhysicalResourceId"])
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == f"AWS::{kind}"
    ]


def at_once[J, R](work: Callable[[J], R], jobs: Iterable[J]) -> list[R]:
    """The results of all jobs, in their order."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, jobs))
