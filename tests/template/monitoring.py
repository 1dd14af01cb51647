"""The metrics, alarms and resources that the dashboard, the alarms and the queries refer to."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ricochet.metrics import Metric
from ricochet.telemetry import SERVICE
from tests.template.cloudformation import ROOT, load, substitute

TEMPLATE = load()
OUR_METRICS = {metric.title: metric for metric in Metric}
NAMESPACE = "Ricochet/<AWS::StackName>"
# AWS's metrics by dimension, and the type of the resource that the dimension names.
AWS_METRICS = {
    ("AWS/SQS", "QueueName"): (
        {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"},
        "AWS::SQS::Queue",
    ),
    ("AWS/Lambda", "FunctionName"): (
        {"Errors", "Throttles", "Duration", "Invocations", "IteratorAge"},
        "AWS::Serverless::Function",
    ),
    ("AWS/DynamoDB", "TableName"): (
        {"ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
        "AWS::DynamoDB::Table",
    ),
    ("AWS/DynamoDB", "GlobalSecondaryIndexName", "TableName"): (
        {"ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
        "AWS::DynamoDB::Table",
    ),
    ("AWS/ApiGateway", "ApiId"): ({"Count", "4xx", "5xx", "Latency"}, "AWS::Serverless::HttpApi"),
}
ACCOUNT_METRICS = {("AWS/Lambda", "Throttles")}
INDEXES = {
    f"{table}/{index['IndexName']}"
    for table, properties in TEMPLATE.of_type("DynamoDB::Table").items()
    for index in properties.get("GlobalSecondaryIndexes", [])
}
_SEARCH = re.compile(r"""SEARCH\('\{"([^"]+)",([\w,]+)\} MetricName="(\w+)"', '(\w+)', (\d+)\)""")


@dataclass(frozen=True)
class MetricReference:
    """A metric as a dashboard or an alarm names it."""

    namespace: str
    name: str
    dimensions: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def exists(self) -> bool:
        if self.namespace == NAMESPACE:
            return self.name in OUR_METRICS and self.dimensions == {"service": SERVICE}
        if not self.dimensions:
            return (self.namespace, self.name) in ACCOUNT_METRICS
        names, kind = AWS_METRICS[(self.namespace, *sorted(self.dimensions))]
        of, _, index = self.of.partition("/")
        return self.name in names and TEMPLATE.resources[of]["Type"] == kind and (not index or self.of in INDEXES)

    @property
    def of(self) -> str:
        """The resource that the dimension names; for an index `Table/index`."""
        index = self.dimensions.get("GlobalSecondaryIndexName")
        (of,) = (of for name, of in self.dimensions.items() if name != "GlobalSecondaryIndexName")
        return f"{of}/{index}" if index else of


def named(reference: str, **parameters: str) -> str:
    """Return a placeholder for a reference in `Fn::Sub`: the logical id, or the pseudo parameter in angle brackets."""
    if reference.startswith("AWS::"):
        return f"<{reference}>"
    name, _, attribute = reference.partition(".")
    assert attribute in {"", "Arn", "QueueName"}, reference
    assert TEMPLATE.has(name, **parameters), f"{name} does not exist with {parameters}"
    return name


def dashboard(**parameters: str) -> list[dict[str, Any]]:
    """Return the widgets of a stack with these parameters."""
    (properties,) = TEMPLATE.of_type("CloudWatch::Dashboard").values()
    text, variables = TEMPLATE.resolve(properties["DashboardBody"]["Fn::Sub"], **parameters)

    def value_of(reference: str) -> str:
        match variables.get(reference):
            case None:
                return named(reference, **parameters)
            case {"Fn::Sub": inner}:
                return substitute(inner, value_of)
            case str() as plain:
                return plain

    return json.loads(substitute(text, value_of))["widgets"]


def metrics_in(widget: dict[str, Any]) -> list[MetricReference]:
    """Return the metrics of a widget, with CloudWatch's abbreviations expanded."""
    found: list[MetricReference] = []
    last: list[str] = []
    for row in widget["properties"].get("metrics", []):
        names = [cell for cell in row if isinstance(cell, str)]
        options = next((cell for cell in row if isinstance(cell, dict)), {})
        if not names:
            continue
        if names[0] == "...":
            names = last[: len(last) - len(names) + 1] + names[1:]
        last = [last[place] if name == "." else name for place, name in enumerate(names)]
        found.append(MetricReference(last[0], last[1], dict(zip(last[2::2], last[3::2], strict=True)), options))
    return found


def searches_in(widget: dict[str, Any]) -> list[tuple[str, list[str], str]]:
    """Return namespace, dimensions and metric of every search."""
    expressions = [row[0]["expression"] for row in widget["properties"].get("metrics", []) if isinstance(row[0], dict)]
    searches = [expression for expression in expressions if "SEARCH" in expression]
    return [(found[1], found[2].split(","), found[3]) for found in map(_SEARCH.fullmatch, searches) if found]


def expressions_in(widget: dict[str, Any]) -> list[str]:
    return [row[0]["expression"] for row in widget["properties"].get("metrics", []) if isinstance(row[0], dict)]


def runbook() -> dict[str, str]:
    """Return the runbook's sections by their anchors on GitHub."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {heading.lower().replace(" ", "-"): body for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def query_names() -> set[str]:
    return {query["Name"]["Fn::Sub"].partition("/")[2] for query in TEMPLATE.of_type("Logs::QueryDefinition").values()}
