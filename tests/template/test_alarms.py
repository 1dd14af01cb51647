"""Alarms: each watches existing metrics, notifies the topic, and has a section in the runbook."""

import re
from collections import Counter

import pytest

from ops import cli
from tests.guides import text
from tests.template.cloudformation import load, substitute
from tests.template.monitoring import (
    INDEXES,
    NAMESPACE,
    OUR_METRICS,
    MetricReference,
    dashboard,
    named,
    query_names,
    runbook,
)

TEMPLATE = load()
ALARMS = TEMPLATE.of_type("CloudWatch::Alarm")
SECTIONS = runbook()
TABLES = sorted(TEMPLATE.of_type("DynamoDB::Table"))
SECONDS = {"minute": 60, "hour": 3600}
OPS = {command.name for command in (*cli.app.registered_commands, *cli.app.registered_groups)}
each_alarm = pytest.mark.parametrize("name", sorted(ALARMS))
each_section = pytest.mark.parametrize("section", sorted(SECTIONS))


def section_of(name: str) -> str:
    return re.fullmatch(r".+ - docs/runbook\.md#([a-z-]+)", ALARMS[name]["AlarmDescription"])[1]


def hot_indexes() -> set[str]:
    """Return the indexes that docs/scaling.md names: `in Receipts (`bySourceDay`)` is Receipts/bySourceDay."""
    section = text("scaling.md").partition("\n## Hot keys\n")[2].partition("\n## ")[0]
    known = {index.partition("/")[2]: index for index in INDEXES}
    return {known[index] for index in re.findall(r"\(`(by\w+)`\)", section)}


def value_of(dimension: dict) -> str:
    """Return the resource that a dimension names, or its text."""
    match dimension["Value"]:
        case {"Ref": resource} | {"Fn::GetAtt": [resource, "QueueName"]}:
            return resource
        case str() as text:
            return text


def metric_of(properties: dict) -> MetricReference:
    namespace = properties["Namespace"]
    return MetricReference(
        substitute(namespace["Fn::Sub"], named) if isinstance(namespace, dict) else namespace,
        properties["MetricName"],
        {dimension["Name"]: value_of(dimension) for dimension in properties.get("Dimensions", [])},
    )


def metrics_of(name: str) -> list[MetricReference]:
    if "Metrics" not in ALARMS[name]:
        return [metric_of(ALARMS[name])]
    return [metric_of(one["MetricStat"]["Metric"]) for one in ALARMS[name]["Metrics"] if "MetricStat" in one]


def watching(metric: str) -> Counter[str]:
    """Return how many alarms watch this metric, by resource."""
    return Counter(
        shown.of for name in ALARMS for shown in metrics_of(name) if shown.name == metric and shown.dimensions
    )


@each_alarm
def test_an_alarm_notifies_the_topic_when_it_starts_and_when_it_ends(name):
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [{"Ref": "AlarmTopic"}]


@each_alarm
def test_an_alarm_links_to_a_section_of_the_runbook(name):
    assert section_of(name) in SECTIONS


@each_section
def test_every_section_of_the_runbook_is_linked_from_an_alarm(section):
    assert section in {section_of(name) for name in ALARMS}


@each_section
def test_a_section_has_its_three_parts(section):
    parts = re.findall(r"^(Means|Look at|Do): ", SECTIONS[section], re.MULTILINE)
    assert parts == ["Means", "Look at", "Do"]


@each_section
def test_a_section_names_existing_widgets_and_queries(section):
    look = re.search(r"^Look at: (.+?)\n\n", SECTIONS[section], re.MULTILINE | re.DOTALL)[1].replace("\n", " ")
    titles = {widget["properties"].get("title") for widget in dashboard()}
    widgets = set(re.findall(r"\*\*(.+?)\*\*", look))
    assert widgets
    assert widgets <= titles
    assert set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", look)) <= query_names()


@each_section
def test_a_section_names_existing_commands_and_sections(section):
    assert set(re.findall(r"`ops (\w+)", SECTIONS[section])) <= OPS
    assert set(re.findall(r"\]\(#([a-z-]+)\)", SECTIONS[section])) <= set(SECTIONS)


@each_alarm
def test_an_alarm_watches_existing_metrics(name):
    assert metrics_of(name)
    assert [shown for shown in metrics_of(name) if not shown.exists()] == []


@each_alarm
def test_an_alarm_needs_no_more_datapoints_than_it_evaluates(name):
    assert ALARMS[name].get("DatapointsToAlarm", 1) <= ALARMS[name]["EvaluationPeriods"]


@each_alarm
def test_missing_data_raises_only_alarms_on_silence(name):
    is_about_silence = ALARMS[name].get("ComparisonOperator") == "LessThanThreshold"
    expected = "breaching" if is_about_silence else "notBreaching"
    assert ALARMS[name]["TreatMissingData"] == expected


@pytest.mark.parametrize(
    "metric",
    [
        "DeliveryGaps",
        "PartnerPaused",
        "PostbacksQueued",
        "PostbackSignaturesRejected",
        "ConflictingReplays",
        "LedgerBusy",
        "HeldEarningsFailed",
        "OldestDue",
        "QuietNetworks",
    ],
)
def test_a_critical_metric_has_an_alarm(metric):
    assert metric in OUR_METRICS
    assert [
        shown for name in ALARMS for shown in metrics_of(name) if (shown.namespace, shown.name) == (NAMESPACE, metric)
    ]


def test_every_background_function_has_an_alarm_on_its_errors():
    called = {name for name, _ in TEMPLATE.events("HttpApi").values()}
    assert watching("Errors") == Counter(set(TEMPLATE.functions()) - called)
    assert watching("5xx") == {"Api": 1}  # this covers the other functions


def test_every_reader_of_a_stream_has_an_alarm_on_its_lag():
    assert watching("IteratorAge") == Counter({name for name, _ in TEMPLATE.events("DynamoDB").values()})


def test_every_schedule_has_an_alarm_for_when_it_stops():
    assert watching("Invocations") == Counter({name for name, _ in TEMPLATE.events("Schedule").values()})


@pytest.mark.parametrize(("function", "event"), TEMPLATE.events("Schedule").values())
def test_a_stopped_schedule_is_noticed_after_more_than_one_missed_run(function, event):
    """A slightly late run leaves one period empty, but never two in a row."""
    number, unit = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", event["Schedule"]).groups()
    (alarm,) = [ALARMS[name] for name in ALARMS for shown in metrics_of(name) if is_run_of(shown, function)]
    assert alarm["Period"] >= int(number) * SECONDS[unit]
    assert alarm["EvaluationPeriods"] >= 2


def is_run_of(shown: MetricReference, function: str) -> bool:
    return (shown.name, shown.dimensions) == ("Invocations", {"FunctionName": function})


@pytest.mark.parametrize("metric", ["ReadThrottleEvents", "WriteThrottleEvents"])
def test_every_table_and_every_index_with_a_hot_key_has_one_alarm_on_its_throttles(metric):
    assert len(hot_indexes()) == 5
    assert watching(metric) == Counter([*TABLES, *hot_indexes()])


@each_alarm
def test_an_alarm_on_a_sum_exists_on_aws_only_and_within_its_limit_of_metrics(name):
    if "Metrics" not in ALARMS[name]:
        return
    assert TEMPLATE.resources[name]["Condition"] == "OnAws"
    assert len(metrics_of(name)) <= 10
    (total,) = [one for one in ALARMS[name]["Metrics"] if "Expression" in one]
    assert total["Expression"] == "SUM(FILL(METRICS(), 0))"
    assert all(one["ReturnData"] is False for one in ALARMS[name]["Metrics"] if one is not total)


@pytest.mark.parametrize(("hours", "exists"), [("0", False), ("6", True)])
def test_the_alarm_on_quiet_networks_exists_only_with_quiet_hours(template, hours, exists):
    resource = template.resources["QuietNetworksAlarm"]
    assert template.resolve({"Condition": resource["Condition"]}, QuietHours=hours) == {"Condition": "HasQuietHours"}
    assert template.resolve(template.document["Conditions"]["HasQuietHours"], QuietHours=hours) is exists
    run = TEMPLATE.functions()["FindQuietNetworks"]
    variable = run["Environment"]["Variables"]["QUIET_HOURS"]
    assert template.resolve(variable, QuietHours=hours) == hours
    assert run["Events"]["EachHour"]["Properties"]["Schedule"] == "rate(1 hour)"
    assert resource["Properties"]["Period"] > 3600  # a late run does not end the alarm


@pytest.mark.parametrize(("address", "exists"), [("", False), ("operators@example.com", True)])
def test_alarms_are_sent_to_an_address_only_if_one_is_given(template, address, exists):
    (name,) = [name for name, one in template.resources.items() if one["Type"] == "AWS::SNS::Subscription"]
    condition = template.document["Conditions"][template.resources[name]["Condition"]]
    assert template.resolve(condition, AlarmEmail=address) is exists
    assert re.fullmatch(template.parameters["AlarmEmail"]["AllowedPattern"], address)
    assert not re.fullmatch(template.parameters["AlarmEmail"]["AllowedPattern"], "nobody")


def test_only_this_accounts_cloudwatch_may_publish_to_the_topic():
    (policy,) = TEMPLATE.of_type("SNS::TopicPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Topics"] == [{"Ref": "AlarmTopic"}]
    assert statement["Resource"] == {"Ref": "AlarmTopic"}
    assert (statement["Action"], statement["Principal"]) == ("sns:Publish", {"Service": "cloudwatch.amazonaws.com"})
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
