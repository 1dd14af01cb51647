"""What the dashboard, the alarms and the queries are about, with every name worked out or given as it is."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ricochet.metric_names import Metric
from ricochet.telemetry import SERVICE
from tests.template.cloudformation import ROOT, filled_in, load

TEMPLATE = load()
OURS = {metric.title: metric for metric in Metric}
NAMESPACE = "Ricochet/<AWS::StackName>"
# What AWS counts by which dimension; the value must be a resource of the type behind it.
OF_AWS = {
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
    ("AWS/ApiGateway", "ApiId"): ({"Count", "4xx", "5xx", "Latency"}, "AWS::Serverless::HttpApi"),
}
OF_THE_ACCOUNT = {("AWS/Lambda", "Throttles")}
_SEARCH = re.compile(r"""SEARCH\('\{"([^"]+)",([\w,]+)\} MetricName="(\w+)"', '(\w+)', (\d+)\)""")


@dataclass(frozen=True)
class Shown:
    """One metric as a dashboard or an alarm names it; `of` is the resource that its dimension is about."""

    namespace: str
    name: str
    dimensions: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def exists(self) -> bool:
        if self.namespace == NAMESPACE:
            return self.name in OURS and self.dimensions == {"service": SERVICE}
        if not self.dimensions:
            return (self.namespace, self.name) in OF_THE_ACCOUNT
        ((dimension, of),) = self.dimensions.items()
        names, kind = OF_AWS[self.namespace, dimension]
        return self.name in names and TEMPLATE.resources[of]["Type"] == kind

    @property
    def of(self) -> str:
        (of,) = self.dimensions.values()
        return of


def named(reference: str) -> str:
    """What stands for a reference of `Fn::Sub`: a resource's logical id, or a pseudo parameter in angle brackets."""
    if reference.startswith("AWS::"):
        return f"<{reference}>"
    name, _, attribute = reference.partition(".")
    assert attribute in {"", "Arn", "QueueName"}, reference
    assert "Condition" not in TEMPLATE.resources[name], f"{name} is not always there"
    return name


def dashboard() -> list[dict[str, Any]]:
    """The widgets, as JSON."""
    (properties,) = TEMPLATE.of_type("CloudWatch::Dashboard").values()
    return json.loads(filled_in(properties["DashboardBody"]["Fn::Sub"], named))["widgets"]


def shown_in(widget: dict[str, Any]) -> list[Shown]:
    """The metrics of a widget, with CloudWatch's abbreviations written out."""
    found: list[Shown] = []
    last: list[str] = []
    for row in widget["properties"].get("metrics", []):
        words = [word for word in row if isinstance(word, str)]
        options = next((word for word in row if isinstance(word, dict)), {})
        if not words:
            continue
        if words[0] == "...":
            words = last[: len(last) - len(words) + 1] + words[1:]
        last = [last[place] if word == "." else word for place, word in enumerate(words)]
        found.append(Shown(last[0], last[1], dict(zip(last[2::2], last[3::2], strict=True)), options))
    return found


def searched_in(widget: dict[str, Any]) -> list[tuple[str, list[str], str]]:
    """Namespace, dimensions and metric of every search."""
    expressions = [row[0]["expression"] for row in widget["properties"].get("metrics", []) if isinstance(row[0], dict)]
    searches = [expression for expression in expressions if "SEARCH" in expression]
    return [(found[1], found[2].split(","), found[3]) for found in map(_SEARCH.fullmatch, searches) if found]


def expressions_in(widget: dict[str, Any]) -> list[str]:
    return [row[0]["expression"] for row in widget["properties"].get("metrics", []) if isinstance(row[0], dict)]


def runbook() -> dict[str, str]:
    """Its sections, by what GitHub makes of their headings."""
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {heading.lower().replace(" ", "-"): body for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def query_names() -> set[str]:
    return {query["Name"]["Fn::Sub"].partition("/")[2] for query in TEMPLATE.of_type("Logs::QueryDefinition").values()}
