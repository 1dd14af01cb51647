"""The dashboard: its layout, and that it shows everything there is and nothing else."""

import re
from collections import defaultdict

import pytest

from ricochet.intake.postback_records import REFUSAL_METRICS
from ricochet.metrics import Metric
from ricochet.values.statuses import Outcome
from tests.template.cloudformation import load, substitute
from tests.template.monitoring import (
    INDEXES,
    NAMESPACE,
    OUR_METRICS,
    dashboard,
    expressions_in,
    metrics_in,
    named,
    searches_in,
)

TEMPLATE = load()
WIDGETS = dashboard()
GRAPHS = [widget for widget in WIDGETS if widget["type"] == "metric"]
COLUMNS = 24
each_graph = pytest.mark.parametrize("widget", GRAPHS, ids=lambda widget: widget["properties"]["title"])

LAYOUT = """
# <AWS::StackName>
Alarms
## The funnel
From click to credit
Postbacks by outcome | Postbacks not processed
Conversions by status | Postbacks by network
## Money
Credited and reversed, by currency | Commissions, by currency | Held earnings credited or failed
## Deliveries to partners
Success rate by attempt (%) | First attempts and retries | Held, superseded and parked deliveries
Time from conversion to first delivery (ms) | Age of retries (s) | Failing partners
Delivery completeness | Partner replies
## Queues and streams
Messages waiting | Age of the oldest message (s) | Stream lag (ms)
## Failures, latency and throttles
API errors | API latency (ms)
Errors by function | Duration by function, p95 (ms) | Throttles by function
Throttled reads by table | Throttled writes by table
Throttled reads by index | Throttled writes by index
## Cost drivers
API requests | Invocations by function | Messages sent, by queue
Write units by table | Read units by table
Write units by index | Read units by index
"""


def title(widget: dict) -> str:
    properties = widget["properties"]
    return properties.get("title") or properties["markdown"].partition("\n")[0]


def layout() -> str:
    """Return the dashboard as text: a line for each row of widgets, from left to right."""
    rows = defaultdict(list)
    for widget in sorted(WIDGETS, key=lambda widget: (widget["y"], widget["x"])):
        rows[widget["y"]].append(title(widget))
    return "\n".join(" | ".join(row) for row in rows.values())


def graphed(metric: str) -> set[str]:
    """Return the resources for which a graph shows this metric."""
    return {shown.of for widget in GRAPHS for shown in metrics_in(widget) if shown.name == metric}


def test_widgets_are_arranged_in_this_order():
    assert layout() == LAYOUT.strip()


def test_widgets_fill_their_rows_without_gaps_or_overlaps():
    covered = defaultdict(list)
    for widget in WIDGETS:
        for y in range(widget["y"], widget["y"] + widget["height"]):
            covered[y] += range(widget["x"], widget["x"] + widget["width"])
    assert sorted(covered) == list(range(len(covered)))
    assert all(sorted(columns) == list(range(COLUMNS)) for columns in covered.values())


def test_every_widget_has_a_title_of_its_own():
    titles = [title(widget) for widget in WIDGETS]
    assert all(titles)
    assert len(titles) == len(set(titles))


def test_every_graph_shows_the_stacks_own_region():
    assert {widget["properties"]["region"] for widget in GRAPHS} == {"<AWS::Region>"}


@each_graph
def test_a_graph_shows_existing_metrics(widget):
    shown = metrics_in(widget)
    assert shown or searches_in(widget)
    assert [metric for metric in shown if not metric.exists()] == []


@each_graph
def test_a_search_uses_the_dimensions_of_its_metric(widget):
    searches = [expression for expression in expressions_in(widget) if "SEARCH" in expression]
    assert len(searches_in(widget)) == len(searches)
    for namespace, dimensions, name in searches_in(widget):
        assert namespace == NAMESPACE
        assert dimensions == [OUR_METRICS[name].dimension, "service"]


@each_graph
def test_an_expression_uses_metrics_of_its_own_graph(widget):
    ids = {row[-1]["id"] for row in widget["properties"]["metrics"] if isinstance(row[-1], dict) and "id" in row[-1]}
    for expression in expressions_in(widget):
        if "SEARCH" not in expression:
            assert set(re.findall(r"\b[a-z]\w*", expression)) == ids & set(re.findall(r"\b[a-z]\w*", expression))


@each_graph
def test_times_are_never_summed(widget):
    for shown in metrics_in(widget):
        if re.search(r"Latency|Age|Duration|OldestDue", shown.name):
            assert shown.options.get("stat", widget["properties"]["stat"]) in {"p50", "p95", "p99", "Maximum"}


def test_every_metric_of_ours_is_on_the_dashboard():
    found = {shown.name for widget in GRAPHS for shown in metrics_in(widget) if shown.namespace == NAMESPACE}
    found |= {name for widget in GRAPHS for _, _, name in searches_in(widget)}
    assert found == set(OUR_METRICS)


@pytest.mark.parametrize("metric", ["Errors", "Duration", "Throttles", "Invocations"])
def test_every_function_is_on_the_dashboard(metric):
    assert graphed(metric) == set(TEMPLATE.functions())


@pytest.mark.parametrize(
    "metric",
    ["ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"],
)
def test_every_table_and_every_index_is_on_the_dashboard(metric):
    assert graphed(metric) == set(TEMPLATE.of_type("DynamoDB::Table")) | INDEXES


@pytest.mark.parametrize(
    "metric", ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"]
)
def test_every_queue_is_on_the_dashboard(metric):
    assert graphed(metric) == set(TEMPLATE.of_type("SQS::Queue"))


def test_every_reader_of_a_stream_is_on_the_dashboard():
    assert graphed("IteratorAge") == {name for name, _ in TEMPLATE.events("DynamoDB").values()}


@pytest.mark.parametrize("environment", TEMPLATE.parameters["Environment"]["AllowedValues"])
@pytest.mark.parametrize("hours", ["0", "6"])
def test_every_alarm_of_a_stack_is_on_its_dashboard(environment, hours):
    parameters = {"Environment": environment, "QuietHours": hours}
    (widget,) = [widget for widget in dashboard(**parameters) if widget["type"] == "alarm"]
    there = [name for name in TEMPLATE.of_type("CloudWatch::Alarm") if TEMPLATE.has(name, **parameters)]
    assert sorted(widget["properties"]["alarms"]) == sorted(there)


def test_alarms_with_a_condition_are_on_the_dashboard_under_the_same_condition():
    (properties,) = TEMPLATE.of_type("CloudWatch::Dashboard").values()
    conditions = {TEMPLATE.resources[name].get("Condition") for name in TEMPLATE.of_type("CloudWatch::Alarm")}
    variables = properties["DashboardBody"]["Fn::Sub"][1].values()
    assert {one["Fn::If"][0] for one in variables if "Fn::If" in one} == conditions - {None}


def test_the_funnel_sums_from_clicks_to_credits_over_the_selected_time():
    (widget,) = [widget for widget in GRAPHS if title(widget) == "From click to credit"]
    assert widget["properties"]["setPeriodToTimeRange"] is True
    rows = [row[-1] for row in widget["properties"]["metrics"]]
    seen = [options["label"] for options in rows if options.get("visible", True)]
    assert seen == [
        *("clicks", "visits", "postbacks", "conversions", "credited", "credited per 100 clicks", "reversed"),
    ]


def test_the_funnel_counts_each_postback_once():
    """A queued postback is counted when it is processed."""
    (widget,) = [widget for widget in GRAPHS if title(widget) == "From click to credit"]
    (expression,) = [one for one in expressions_in(widget) if one.startswith("SUM")]
    names = {shown.options.get("id"): shown.name for shown in metrics_in(widget)}
    outcomes = {*(outcome.metric for outcome in Outcome), *REFUSAL_METRICS.values(), Metric.POSTBACKS_REFUSED}
    assert sorted(names[one] for one in re.findall(r"\b[a-z]\w*", expression)) == sorted(
        metric.title for metric in outcomes
    )


def test_its_name_is_unique_across_stacks_and_regions():
    (properties,) = TEMPLATE.of_type("CloudWatch::Dashboard").values()
    assert substitute(properties["DashboardName"]["Fn::Sub"], named) == "<AWS::StackName>-<AWS::Region>"
