"""The deployed dashboard shows the stack's own names, and its alarms reach subscribers."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from local.stack import Stack
from local.workspace import REGION
from ricochet.metrics import Metric
from tests.waiting import eventually


@pytest.fixture(scope="module")
def widgets(stack: Stack) -> list[dict[str, Any]]:
    reply = stack.aws.cloudwatch.get_dashboard(DashboardName=f"{stack.name}-{REGION}")
    return json.loads(reply["DashboardBody"])["widgets"]


def shown(widgets: list[dict[str, Any]], namespace: str) -> set[str]:
    """Return the last text of each row of the namespace's graphs, which names what the row shows."""
    graphs = [widget["properties"]["metrics"] for widget in widgets if widget["type"] == "metric"]
    rows = [row for graph in graphs if graph[0][0] == namespace for row in graph]
    return {[text for text in row if isinstance(text, str)][-1] for row in rows} - {".", "..."}


def test_the_dashboard_shows_every_function_table_and_queue_of_the_stack(stack: Stack, widgets):
    functions = {one["FunctionName"] for one in stack.aws.lambda_.list_functions(MaxItems=100)["Functions"]}
    tables = {value for name, value in stack.outputs.items() if name.endswith("Table")}
    queues = {value.rpartition("/")[2] for name, value in stack.outputs.items() if name.endswith("QueueUrl")}
    assert shown(widgets, "AWS/Lambda") == {name for name in functions if name.startswith(f"{stack.name}-")}
    assert shown(widgets, "AWS/DynamoDB") == tables
    assert shown(widgets, "AWS/SQS") == queues
    assert shown(widgets, "AWS/ApiGateway") == {stack.outputs["ApiId"]}


def test_the_dashboard_has_no_placeholders_except_labels(stack: Stack, widgets):
    text = json.dumps(widgets)
    assert f'"Ricochet/{stack.name}", "{Metric.CLICKS_CREATED.title}"' in text
    assert text.count("${") == text.count("${PROP('Dim.") == 5


def test_an_alarm_reaches_subscribers_with_a_link_to_the_runbook(stack: Stack):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    sns = boto3.client("sns", endpoint_url=stack.aws.endpoint_url, region_name=REGION, **keys)
    queue = stack.aws.sqs.create_queue(QueueName="alarm-notifications")["QueueUrl"]
    arn = stack.aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    may_send = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may_send | {"Resource": arn}]})
    stack.aws.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=stack.outputs["AlarmTopicArn"], Protocol="sqs", Endpoint=arn)
    (alarm,) = [
        one
        for one in stack.aws.cloudwatch.describe_alarms(MaxRecords=100)["MetricAlarms"]
        if "DeliveryGapsAlarm" in one["AlarmName"]
    ]
    stack.aws.cloudwatch.set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="a test")

    def received() -> str:
        messages = stack.aws.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        return "".join(message["Body"] for message in messages)

    assert "docs/runbook.md#delivery-gaps" in eventually(received, "the notification")
