"""Runs last: each role grants what its function did in all these tests, and nothing else."""

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

# AWS does this in the name of a function, and the embedded AWS without checking permissions.
OF_THE_PLATFORM = (
    *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
)
# It also does this with the queue that triggers a function.
WITH_ITS_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@dataclass(frozen=True, order=True)
class Permission:
    action: str
    resource: str

    def covers(self, used: Permission) -> bool:
        """AWS requires `sqs:SendMessage` for a batch too; the embedded AWS checks the name of the call."""
        required = {used.action, used.action.removesuffix("Batch")}
        return self.action in required and fnmatchcase(used.resource, self.resource)


@pytest.fixture(scope="module")
def roles(stack) -> dict[str, str]:
    """The name of each role in the template, by its deployed name."""
    resources = stack.aws.cloudformation.describe_stack_resources(StackName=stack.name)["StackResources"]
    return {
        one["PhysicalResourceId"]: one["LogicalResourceId"]
        for one in resources
        if one["ResourceType"] == "AWS::IAM::Role"
    }


@pytest.fixture(scope="module")
def granted(stack, roles) -> dict[str, set[Permission]]:
    keys = {name.lower(): value for name, value in CREDENTIALS.items()}
    iam = boto3.client("iam", endpoint_url=stack.aws.endpoint_url, region_name=REGION, **keys)
    found = defaultdict(set)
    for deployed, name in roles.items():
        for document in policies_of(deployed, iam):
            for statement in document["Statement"]:
                found[name] |= {
                    Permission(action, resource)
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
def calls(emulator, roles, request) -> dict[bool, dict[str, set[Permission]]]:
    """What each role was used for, by whether it was allowed."""
    ran = {item.path for item in request.session.items}
    if set(Path(__file__).parent.glob("test_*.py")) - ran or request.config.getoption("keyword"):
        pytest.skip("needs all tests of this folder")
    found = {True: defaultdict(set), False: defaultdict(set)}
    for line in (emulator.folder / CALLS).read_text(encoding="utf-8").splitlines():
        call = json.loads(line)
        role = next((name for name in call["principal"].split("/") if name in roles), None)
        if role is not None:
            found[call["allowed"]][roles[role]].add(Permission(call["action"], call["resource"]))
    return found


@pytest.fixture(scope="module")
def of_readers(stack, roles) -> set[tuple[str, Permission]]:
    """(role, permission) of each function that a queue triggers: Lambda reads the queue in its name."""
    found = set()
    for mapping in stack.aws.lambda_.list_event_source_mappings()["EventSourceMappings"]:
        if ":sqs:" not in mapping["EventSourceArn"]:
            continue
        function = stack.aws.lambda_.get_function_configuration(FunctionName=mapping["FunctionArn"])
        role = roles[function["Role"].rpartition("/")[2]]
        found |= {(role, Permission(action, mapping["EventSourceArn"])) for action in WITH_ITS_QUEUE}
    return found


def test_every_granted_permission_was_used(granted, calls, of_readers):
    """Except for those that Lambda uses to send failed events to their queue."""
    unused = {
        (role, permission.action, permission.resource)
        for role, permissions in granted.items()
        for permission in permissions
        if permission.action not in OF_THE_PLATFORM
        and (role, permission) not in of_readers
        and "FailedEvents" not in permission.resource
        and not any(permission.covers(used) for used in calls[True][role])
    }
    assert not unused


def test_no_function_needed_another_permission(granted, calls):
    """The refused calls are those that a test had denied for a while."""
    refused = {
        (role, used)
        for role, permissions in calls[False].items()
        for used in permissions
        if not any(permission.covers(used) for permission in granted[role])
    }
    assert not refused
