"""Every alarm tells somebody, of something that is counted, and the runbook says what to do."""

import re
from collections import Counter

import pytest

from ops import cli
from tests.guides import text
from tests.template.cloudformation import filled_in, load
from tests.template.monitoring import INDEXES, NAMESPACE, OURS, Shown, dashboard, named, query_names, runbook

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
    """What docs/scaling.md names: `in Receipts (`bySourceDay`)` is Receipts/bySourceDay."""
    section = text("scaling.md").partition("\n## Hot keys\n")[2].partition("\n## ")[0]
    known = {index.partition("/")[2]: index for index in INDEXES}
    return {known[index] for index in re.findall(r"\(`(by\w+)`\)", section)}


def value_of(dimension: dict) -> str:
    """The resource that a dimension names, or the text that it is."""
    match dimension["Value"]:
        case {"Ref": resource} | {"Fn::GetAtt": [resource, "QueueName"]}:
            return resource
        case str() as text:
            return text


def metric_of(properties: dict) -> Shown:
    namespace = properties["Namespace"]
    return Shown(
        filled_in(namespace["Fn::Sub"], named) if isinstance(namespace, dict) else namespace,
        properties["MetricName"],
        {dimension["Name"]: value_of(dimension) for dimension in properties.get("Dimensions", [])},
    )


def metrics_of(name: str) -> list[Shown]:
    if "Metrics" not in ALARMS[name]:
        return [metric_of(ALARMS[name])]
    return [metric_of(one["MetricStat"]["Metric"]) for one in ALARMS[name]["Metrics"] if "MetricStat" in one]


def watching(metric: str) -> Counter[str]:
    """How many alarms watch this metric of what."""
    return Counter(
        shown.of for name in ALARMS for shown in metrics_of(name) if shown.name == metric and shown.dimensions
    )


@each_alarm
def test_an_alarm_tells_the_topic_when_it_rings_and_when_it_is_over(name):
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [{"Ref": "AlarmTopic"}]


@each_alarm
def test_an_alarm_leads_to_its_section_of_the_runbook(name):
    assert section_of(name) in SECTIONS


@each_section
def test_a_section_of_the_runbook_has_an_alarm_that_leads_there(section):
    assert section in {section_of(name) for name in ALARMS}


@each_section
def test_a_section_says_what_it_means_where_to_look_and_what_to_do(section):
    parts = re.findall(r"^(Means|Look at|Do): ", SECTIONS[section], re.MULTILINE)
    assert parts == ["Means", "Look at", "Do"]


@each_section
def test_a_section_looks_at_what_is_there(section):
    look = re.search(r"^Look at: (.+?)\n\n", SECTIONS[section], re.MULTILINE | re.DOTALL)[1].replace("\n", " ")
    titles = {widget["properties"].get("title") for widget in dashboard()}
    widgets = set(re.findall(r"\*\*(.+?)\*\*", look))
    assert widgets
    assert widgets <= titles
    assert set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", look)) <= query_names()


@each_section
def test_a_section_names_commands_and_sections_that_there_are(section):
    assert set(re.findall(r"`ops (\w+)", SECTIONS[section])) <= OPS
    assert set(re.findall(r"\]\(#([a-z-]+)\)", SECTIONS[section])) <= set(SECTIONS)


@each_alarm
def test_an_alarm_is_about_metrics_that_exist(name):
    assert metrics_of(name)
    assert [shown for shown in metrics_of(name) if not shown.exists()] == []


@each_alarm
def test_an_alarm_decides_by_no_more_datapoints_than_it_looks_at(name):
    assert ALARMS[name].get("DatapointsToAlarm", 1) <= ALARMS[name]["EvaluationPeriods"]


@each_alarm
def test_silence_is_no_alarm_unless_silence_is_what_it_is_about(name):
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
def test_what_must_not_go_unnoticed_has_an_alarm(metric):
    assert metric in OURS
    assert [
        shown for name in ALARMS for shown in metrics_of(name) if (shown.namespace, shown.name) == (NAMESPACE, metric)
    ]


def test_every_function_that_no_caller_waits_for_has_an_alarm_on_its_errors():
    called = {name for name, _ in TEMPLATE.events("HttpApi").values()}
    assert watching("Errors") == Counter(set(TEMPLATE.functions()) - called)
    assert watching("5xx") == {"Api": 1}  # the API answers for the others


def test_every_reader_of_a_stream_has_an_alarm_on_its_lag():
    assert watching("IteratorAge") == Counter({name for name, _ in TEMPLATE.events("DynamoDB").values()})


def test_every_schedule_has_an_alarm_that_it_stopped():
    assert watching("Invocations") == Counter({name for name, _ in TEMPLATE.events("Schedule").values()})


@pytest.mark.parametrize(("function", "event"), TEMPLATE.events("Schedule").values())
def test_a_schedule_has_stopped_when_it_should_have_run_more_than_once(function, event):
    """A run that comes a little late leaves one period empty; two in a row are none."""
    number, unit = re.fullmatch(r"rate\((\d+) (minute|hour)s?\)", event["Schedule"]).groups()
    (alarm,) = [ALARMS[name] for name in ALARMS for shown in metrics_of(name) if is_run_of(shown, function)]
    assert alarm["Period"] >= int(number) * SECONDS[unit]
    assert alarm["EvaluationPeriods"] >= 2


def is_run_of(shown: Shown, function: str) -> bool:
    return (shown.name, shown.dimensions) == ("Invocations", {"FunctionName": function})


@pytest.mark.parametrize("metric", ["ReadThrottleEvents", "WriteThrottleEvents"])
def test_every_table_and_every_index_with_a_hot_key_has_one_alarm_on_its_throttles(metric):
    assert len(hot_indexes()) == 5
    assert watching(metric) == Counter([*TABLES, *hot_indexes()])


@each_alarm
def test_arithmetic_is_for_aws_and_within_its_limit(name):
    if "Metrics" not in ALARMS[name]:
        return
    assert TEMPLATE.resources[name]["Condition"] == "OnAws"
    assert len(metrics_of(name)) <= 10
    (total,) = [one for one in ALARMS[name]["Metrics"] if "Expression" in one]
    assert total["Expression"] == "SUM(FILL(METRICS(), 0))"
    assert all(one["ReturnData"] is False for one in ALARMS[name]["Metrics"] if one is not total)


@pytest.mark.parametrize(("hours", "is_there"), [("0", False), ("6", True)])
def test_an_alarm_on_quiet_networks_is_there_if_it_was_asked_for(template, hours, is_there):
    resource = template.resources["QuietNetworksAlarm"]
    assert template.work_out({"Condition": resource["Condition"]}, QuietHours=hours) == {"Condition": "HasQuietHours"}
    assert template.work_out(template.document["Conditions"]["HasQuietHours"], QuietHours=hours) is is_there
    run = TEMPLATE.functions()["FindQuietNetworks"]
    told = run["Environment"]["Variables"]["QUIET_HOURS"]
    assert template.work_out(told, QuietHours=hours) == hours
    assert run["Events"]["EachHour"]["Properties"]["Schedule"] == "rate(1 hour)"
    assert resource["Properties"]["Period"] > 3600  # a run that comes late is no end of the silence


@pytest.mark.parametrize(("address", "is_there"), [("", False), ("operators@example.com", True)])
def test_an_address_is_told_if_one_was_given(template, address, is_there):
    (name,) = [name for name, one in template.resources.items() if one["Type"] == "AWS::SNS::Subscription"]
    condition = template.document["Conditions"][template.resources[name]["Condition"]]
    assert template.work_out(condition, AlarmEmail=address) is is_there
    assert re.fullmatch(template.parameters["AlarmEmail"]["AllowedPattern"], address)
    assert not re.fullmatch(template.parameters["AlarmEmail"]["AllowedPattern"], "nobody")


def test_only_cloudwatch_and_only_of_this_account_may_tell_the_topic():
    (policy,) = TEMPLATE.of_type("SNS::TopicPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Topics"] == [{"Ref": "AlarmTopic"}]
    assert statement["Resource"] == {"Ref": "AlarmTopic"}
    assert (statement["Action"], statement["Principal"]) == ("sns:Publish", {"Service": "cloudwatch.amazonaws.com"})
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
