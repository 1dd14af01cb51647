"""What the dashboard, the alarms and the queries are about, with every name worked out or given as it is."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from ricochet.metrics import Metric
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
    ("AWS/DynamoDB", "GlobalSecondaryIndexName", "TableName"): (
        {"ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
        "AWS::DynamoDB::Table",
    ),
    ("AWS/ApiGateway", "ApiId"): ({"Count", "4xx", "5xx", "Latency"}, "AWS::Serverless::HttpApi"),
}
OF_THE_ACCOUNT = {("AWS/Lambda", "Throttles")}
INDEXES = {
    f"{table}/{index['IndexName']}"
    for table, properties in TEMPLATE.of_type("DynamoDB::Table").items()
    for index in properties.get("GlobalSecondaryIndexes", [])
}
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
        names, kind = OF_AWS[(self.namespace, *sorted(self.dimensions))]
        of, _, index = self.of.partition("/")
        return self.name in names and TEMPLATE.resources[of]["Type"] == kind and (not index or self.of in INDEXES)

    @property
    def of(self) -> str:
        """The resource; of an index, its table and its name."""
        index = self.dimensions.get("GlobalSecondaryIndexName")
        (of,) = (of for name, of in self.dimensions.items() if name != "GlobalSecondaryIndexName")
        return f"{of}/{index}" if index else of


def named(reference: str, **parameters: str) -> str:
    """What stands for a reference of `Fn::Sub`: a resource's logical id, or a pseudo parameter in angle brackets."""
    if reference.startswith("AWS::"):
        return f"<{reference}>"
    name, _, attribute = reference.partition(".")
    assert attribute in {"", "Arn", "QueueName"}, reference
    assert TEMPLATE.has(name, **parameters), f"{name} is not there with {parameters}"
    return name


def dashboard(**parameters: str) -> list[dict[str, Any]]:
    """The widgets of a stack with these parameters, as JSON."""
    (properties,) = TEMPLATE.of_type("CloudWatch::Dashboard").values()
    text, variables = TEMPLATE.work_out(properties["DashboardBody"]["Fn::Sub"], **parameters)

    def value_of(reference: str) -> str:
        match variables.get(reference):
            case None:
                return named(reference, **parameters)
            case {"Fn::Sub": inner}:
                return filled_in(inner, value_of)
            case str() as plain:
                return plain

    return json.loads(filled_in(text, value_of))["widgets"]


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
