"""Runs last: each role grants what its function was seen to do in all these tests, and nothing else."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import boto3
import pytest

from local.workspace import CREDENTIALS, REGION
from tests.integration.conftest import CALLS

# What AWS does in a function's name, where the embedded AWS does without asking.
OF_THE_PLATFORM = (
    *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
)
# What it also does for a function that it feeds from a queue, with that queue.
WITH_ITS_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@dataclass(frozen=True, order=True)
class Right:
    action: str
    resource: str

    def covers(self, used: Right) -> bool:
        """AWS asks for `sqs:SendMessage` whether a call sends one or many; the embedded AWS asks for what is called."""
        asked_for = {used.action, used.action.removesuffix("Batch")}
        return self.action in asked_for and fnmatchcase(used.resource, self.resource)


@pytest.fixture(scope="module")
def roles(stack) -> dict[str, str]:
    """A role's name as deployed -> the one in the template."""
    resources = stack.aws.cloudformation.describe_stack_resources(StackName=stack.name)["StackResources"]
    return {
        one["PhysicalResourceId"]: one["LogicalResourceId"]
        for one in resources
        if one["ResourceType"] == "AWS::IAM::Role"
    }


@pytest.fixture(scope="module")
def granted(stack, roles) -> dict[str, set[Right]]:
    keys = {name.lower(): value for name, value in CREDENTIALS.items()}
    iam = boto3.client("iam", endpoint_url=stack.aws.endpoint_url, region_name=REGION, **keys)
    found = defaultdict(set)
    for deployed, name in roles.items():
        for document in policies_of(deployed, iam):
            for statement in document["Statement"]:
                found[name] |= {
                    Right(action, resource)
                    for action in listed(statement["Action"])
                    for resource in listed(statement["Resource"])
                }
    return found


def policies_of(role, iam):
    """Yield the documents of a role's own policies and of those attached to it."""
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        yield iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"]["Document"]


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def calls(emulator, roles, request) -> dict[bool, dict[str, set[Right]]]:
    """By whether they were allowed: what each role was used for."""
    ran = {item.path for item in request.session.items}
    if set(Path(__file__).parent.glob("test_*.py")) - ran or request.config.getoption("keyword"):
        pytest.skip("says something only of all the tests in this folder")
    found = {True: defaultdict(set), False: defaultdict(set)}
    for line in (emulator.folder / CALLS).read_text(encoding="utf-8").splitlines():
        call = json.loads(line)
        role = next((name for name in call["principal"].split("/") if name in roles), None)
        if role is not None:
            found[call["allowed"]][roles[role]].add(Right(call["action"], call["resource"]))
    return found


@pytest.fixture(scope="module")
def of_readers(stack, roles) -> set[tuple[str, Right]]:
    """(role, right) of each function that a queue feeds: Lambda reads the queue in its name."""
    found = set()
    for mapping in stack.aws.lambda_.list_event_source_mappings()["EventSourceMappings"]:
        if ":sqs:" not in mapping["EventSourceArn"]:
            continue
        function = stack.aws.lambda_.get_function_configuration(FunctionName=mapping["FunctionArn"])
        role = roles[function["Role"].rpartition("/")[2]]
        found |= {(role, Right(action, mapping["EventSourceArn"])) for action in WITH_ITS_QUEUE}
    return found


def test_every_right_was_used(granted, calls, of_readers):
    """What Lambda itself sends to the queue of failed events is its own affair."""
    unused = {
        (role, right.action, right.resource)
        for role, rights in granted.items()
        for right in rights
        if right.action not in OF_THE_PLATFORM
        and (role, right) not in of_readers
        and "FailedEvents" not in right.resource
        and not any(right.covers(used) for used in calls[True][role])
    }
    assert not unused


def test_no_function_asked_for_more(granted, calls):
    """What was refused is what a test had taken away for a while."""
    refused = {
        (role, used)
        for role, rights in calls[False].items()
        for used in rights
        if not any(right.covers(used) for right in granted[role])
    }
    assert not refused
