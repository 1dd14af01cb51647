"""The dashboard can be drawn, tells its story in order, and shows nothing that is not there."""

import re
from collections import defaultdict

import pytest

from ricochet.intake.postback_records import REFUSAL_METRICS
from ricochet.ledger.outcome import Outcome
from ricochet.metrics import Metric
from tests.template.cloudformation import filled_in, load
from tests.template.monitoring import (
    INDEXES,
    NAMESPACE,
    OURS,
    dashboard,
    expressions_in,
    named,
    searched_in,
    shown_in,
)

TEMPLATE = load()
WIDGETS = dashboard()
GRAPHS = [widget for widget in WIDGETS if widget["type"] == "metric"]
COLUMNS = 24
each_graph = pytest.mark.parametrize("widget", GRAPHS, ids=lambda widget: widget["properties"]["title"])

STORY = """
# <AWS::StackName>
Alarms
## The funnel
From click to credit
Postbacks by outcome | Postbacks not taken in
Conversions by status | Postbacks by network
## Money
Credited and taken back, by currency | Commissions, by currency | Earnings whose hold days are over
## Telling partners
Delivered of a hundred, by attempt | First attempts and retries | Waiting, overtaken, given up
From conversion to delivery, first attempts (ms) | Age of retries (s) | Partners in trouble
Proof that everybody was told | What partners decided in their replies
## Queues and streams
Messages waiting | Age of the oldest message (s) | How far stream readers are behind (ms)
## Failures, latency and throttles
Refusals and failures of the API | Latency of the API (ms)
Errors by function | Duration by function, p95 (ms) | Throttles by function
Throttled reads by table | Throttled writes by table
Throttled reads by index | Throttled writes by index
## What it costs
Requests to the API | Invocations by function | Messages sent, by queue
Write units by table | Read units by table
Write units by index | Read units by index
"""


def title(widget: dict) -> str:
    properties = widget["properties"]
    return properties.get("title") or properties["markdown"].partition("\n")[0]


def drawn() -> str:
    """The dashboard as text: a line for each row of widgets, from the left."""
    rows = defaultdict(list)
    for widget in sorted(WIDGETS, key=lambda widget: (widget["y"], widget["x"])):
        rows[widget["y"]].append(title(widget))
    return "\n".join(" | ".join(row) for row in rows.values())


def about(metric: str) -> set[str]:
    """What a graph shows this metric of."""
    return {shown.of for widget in GRAPHS for shown in shown_in(widget) if shown.name == metric}


def test_it_reads_from_top_to_bottom_as_a_story():
    assert drawn() == STORY.strip()


def test_widgets_fill_their_rows_without_a_hole_and_without_lying_on_each_other():
    covered = defaultdict(list)
    for widget in WIDGETS:
        for y in range(widget["y"], widget["y"] + widget["height"]):
            covered[y] += range(widget["x"], widget["x"] + widget["width"])
    assert sorted(covered) == list(range(len(covered)))
    assert all(sorted(columns) == list(range(COLUMNS)) for columns in covered.values())


def test_titles_are_there_and_differ():
    titles = [title(widget) for widget in WIDGETS]
    assert all(titles)
    assert len(titles) == len(set(titles))


def test_every_graph_is_of_the_stacks_own_region():
    assert {widget["properties"]["region"] for widget in GRAPHS} == {"<AWS::Region>"}


@each_graph
def test_a_graph_shows_metrics_that_exist(widget):
    shown = shown_in(widget)
    assert shown or searched_in(widget)
    assert [metric for metric in shown if not metric.exists()] == []


@each_graph
def test_a_search_is_for_metrics_that_have_its_dimensions(widget):
    searches = [expression for expression in expressions_in(widget) if "SEARCH" in expression]
    assert len(searched_in(widget)) == len(searches)
    for namespace, dimensions, name in searched_in(widget):
        assert namespace == NAMESPACE
        assert dimensions == [OURS[name].dimension, "service"]


@each_graph
def test_arithmetic_is_about_metrics_of_the_same_graph(widget):
    ids = {row[-1]["id"] for row in widget["properties"]["metrics"] if isinstance(row[-1], dict) and "id" in row[-1]}
    for expression in expressions_in(widget):
        if "SEARCH" not in expression:
            assert set(re.findall(r"\b[a-z]\w*", expression)) == ids & set(re.findall(r"\b[a-z]\w*", expression))


@each_graph
def test_times_are_never_added_up(widget):
    for shown in shown_in(widget):
        if re.search(r"Latency|Age|Duration|OldestDue", shown.name):
            assert shown.options.get("stat", widget["properties"]["stat"]) in {"p50", "p95", "p99", "Maximum"}


def test_every_metric_of_ours_is_shown():
    found = {shown.name for widget in GRAPHS for shown in shown_in(widget) if shown.namespace == NAMESPACE}
    found |= {name for widget in GRAPHS for _, _, name in searched_in(widget)}
    assert found == set(OURS)


@pytest.mark.parametrize("metric", ["Errors", "Duration", "Throttles", "Invocations"])
def test_every_function_is_shown(metric):
    assert about(metric) == set(TEMPLATE.functions())


@pytest.mark.parametrize(
    "metric",
    ["ReadThrottleEvents", "WriteThrottleEvents", "ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"],
)
def test_every_table_and_every_index_is_shown(metric):
    assert about(metric) == set(TEMPLATE.of_type("DynamoDB::Table")) | INDEXES


@pytest.mark.parametrize(
    "metric", ["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage", "NumberOfMessagesSent"]
)
def test_every_queue_is_shown(metric):
    assert about(metric) == set(TEMPLATE.of_type("SQS::Queue"))


def test_every_reader_of_a_stream_is_shown():
    assert about("IteratorAge") == {name for name, _ in TEMPLATE.events("DynamoDB").values()}


@pytest.mark.parametrize("environment", TEMPLATE.parameters["Environment"]["AllowedValues"])
@pytest.mark.parametrize("hours", ["0", "6"])
def test_every_alarm_of_a_stack_is_shown(environment, hours):
    parameters = {"Environment": environment, "QuietHours": hours}
    (widget,) = [widget for widget in dashboard(**parameters) if widget["type"] == "alarm"]
    there = [name for name in TEMPLATE.of_type("CloudWatch::Alarm") if TEMPLATE.has(name, **parameters)]
    assert sorted(widget["properties"]["alarms"]) == sorted(there)


def test_the_combinations_of_conditions_differ_in_their_alarms():
    (properties,) = TEMPLATE.of_type("CloudWatch::Dashboard").values()
    conditions = {TEMPLATE.resources[name].get("Condition") for name in TEMPLATE.of_type("CloudWatch::Alarm")}
    assert {one["Fn::If"][0] for one in properties["DashboardBody"]["Fn::Sub"][1].values()} == conditions - {None}


def test_the_funnel_leads_from_clicks_to_credits_over_the_whole_time_that_is_looked_at():
    (widget,) = [widget for widget in GRAPHS if title(widget) == "From click to credit"]
    assert widget["properties"]["setPeriodToTimeRange"] is True
    rows = [row[-1] for row in widget["properties"]["metrics"]]
    seen = [options["label"] for options in rows if options.get("visible", True)]
    assert seen == [
        *("clicks", "visits", "postbacks", "conversions", "credited", "credited of a hundred clicks", "reversed"),
    ]


def test_the_funnel_counts_each_postback_once():
    """What was queued is counted when it is taken in."""
    (widget,) = [widget for widget in GRAPHS if title(widget) == "From click to credit"]
    (expression,) = [one for one in expressions_in(widget) if one.startswith("SUM")]
    names = {shown.options.get("id"): shown.name for shown in shown_in(widget)}
    outcomes = {*(outcome.metric for outcome in Outcome), *REFUSAL_METRICS.values(), Metric.POSTBACKS_REFUSED}
    assert sorted(names[one] for one in re.findall(r"\b[a-z]\w*", expression)) == sorted(
        metric.title for metric in outcomes
    )


def test_its_name_is_no_other_stacks_in_any_region():
    (properties,) = TEMPLATE.of_type("CloudWatch::Dashboard").values()
    assert filled_in(properties["DashboardName"]["Fn::Sub"], named) == "<AWS::StackName>-<AWS::Region>"
