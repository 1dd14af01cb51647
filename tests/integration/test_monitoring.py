"""What operators look at is deployed: the dashboard with the stack's own names, and alarms that reach somebody."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from local.stack import Stack
from local.workspace import REGION
from ricochet.metrics import Metric
from tests.integration.conftest import eventually


@pytest.fixture(scope="module")
def widgets(stack: Stack) -> list[dict[str, Any]]:
    reply = stack.aws.cloudwatch.get_dashboard(DashboardName=f"{stack.name}-{REGION}")
    return json.loads(reply["DashboardBody"])["widgets"]


def shown(widgets: list[dict[str, Any]], namespace: str) -> set[str]:
    """The last text of each row of the graphs that begin with this namespace: what they are about."""
    graphs = [widget["properties"]["metrics"] for widget in widgets if widget["type"] == "metric"]
    rows = [row for graph in graphs if graph[0][0] == namespace for row in graph]
    return {[word for word in row if isinstance(word, str)][-1] for row in rows} - {".", "..."}


def test_the_dashboard_names_the_stacks_own_functions_tables_and_queues(stack: Stack, widgets):
    functions = {one["FunctionName"] for one in stack.aws.lambda_.list_functions(MaxItems=100)["Functions"]}
    tables = {value for name, value in stack.outputs.items() if name.endswith("Table")}
    queues = {value.rpartition("/")[2] for name, value in stack.outputs.items() if name.endswith("QueueUrl")}
    assert shown(widgets, "AWS/Lambda") == {name for name in functions if name.startswith(f"{stack.name}-")}
    assert shown(widgets, "AWS/DynamoDB") == tables
    assert shown(widgets, "AWS/SQS") == queues
    assert shown(widgets, "AWS/ApiGateway") == {stack.outputs["ApiId"]}


def test_the_dashboard_leaves_nothing_to_be_filled_in_but_labels(stack: Stack, widgets):
    text = json.dumps(widgets)
    assert f'"Ricochet/{stack.name}", "{Metric.CLICKS_CREATED.title}"' in text
    assert text.count("${") == text.count("${PROP('Dim.") == 5


def test_an_alarm_that_rings_reaches_who_subscribed_and_says_where_to_read_on(stack: Stack):
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    sns = boto3.client("sns", endpoint_url=stack.aws.endpoint_url, region_name=REGION, **keys)
    queue = stack.aws.sqs.create_queue(QueueName="told-of-alarms")["QueueUrl"]
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

    def told() -> str:
        messages = stack.aws.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", [])
        return "".join(message["Body"] for message in messages)

    assert "docs/runbook.md#delivery-gaps" in eventually(told, "the message to the topic")
