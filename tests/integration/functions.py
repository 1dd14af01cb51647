"""Deployed functions as tests handle them: invoked by hand, kept from their events, or with fewer permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from local.stack import Stack
from local.workspace import REGION
from tests.waiting import eventually


def invoke(stack: Stack, function: str, **event: Any) -> Any:
    """Return what the function answers; AssertionError if it fails."""
    reply = stack.aws.lambda_.invoke(FunctionName=stack.function(function), Payload=json.dumps(event).encode())
    answer = json.loads(reply["Payload"].read())
    assert "FunctionError" not in reply, answer
    return answer


@contextmanager
def withheld(stack: Stack, *functions: str) -> Iterator[None]:
    """Keep events of streams and queues from these functions; they receive them afterwards."""
    mappings = [_mapping(stack, function) for function in functions]
    try:
        for mapping in mappings:
            _enable(stack, mapping, enabled=False)
        yield
    finally:
        for mapping in mappings:
            _enable(stack, mapping, enabled=True)


def _mapping(stack: Stack, function: str) -> str:
    name = stack.function(function)
    (mapping,) = stack.aws.lambda_.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    return mapping["UUID"]


def _enable(stack: Stack, mapping: str, *, enabled: bool) -> None:
    stack.aws.lambda_.update_event_source_mapping(UUID=mapping, Enabled=enabled)
    state = "Enabled" if enabled else "Disabled"
    eventually(
        lambda: stack.aws.lambda_.get_event_source_mapping(UUID=mapping)["State"] == state, f"a mapping that is {state}"
    )


@contextmanager
def unscheduled(stack: Stack, function: str) -> Iterator[None]:
    """Let no schedule start the function."""
    arn = stack.aws.lambda_.get_function_configuration(FunctionName=stack.function(function))["FunctionArn"]
    rules = stack.aws.events.list_rule_names_by_target(TargetArn=arn)["RuleNames"]
    assert rules
    try:
        for rule in rules:
            stack.aws.events.disable_rule(Name=rule)
        yield
    finally:
        for rule in rules:
            stack.aws.events.enable_rule(Name=rule)


@contextmanager
def denied(stack: Stack, function: str, *actions: str) -> Iterator[None]:
    """Take permissions from a function's role: its calls fail as they would on AWS."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    iam = boto3.client("iam", endpoint_url=stack.aws.endpoint_url, region_name=REGION, **keys)
    configuration = stack.aws.lambda_.get_function_configuration(FunctionName=stack.function(function))
    role = configuration["Role"].rpartition("/")[2]
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")


def queue_is_empty(stack: Stack, queue_url: str) -> bool:
    """Return whether every message was processed, including delayed ones and those that a function has received."""
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    counts = stack.aws.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return not any(int(counts[name]) for name in names)
