"""Each role grants exactly the actions of its function, on exactly the resources that it uses."""

import re

import pytest

from tests.template.cloudformation import get_att, load

TEMPLATE = load()
FUNCTIONS = TEMPLATE.functions()
ROLES = TEMPLATE.of_type("IAM::Role")
SHARED = TEMPLATE.of_type("IAM::ManagedPolicy")
each_role = pytest.mark.parametrize("role", sorted(ROLES))
XRAY = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


def listed(value):
    return value if isinstance(value, list) else [value]


def attached(role: str) -> list[str]:
    """Return the logical ids of a role's shared policies."""
    return [policy["Ref"] for policy in ROLES[role].get("ManagedPolicyArns", [])]


def statements(role: str) -> list[dict]:
    """Return all statements that apply to a role: its own and those of its shared policies."""
    policies = [*ROLES[role]["Policies"], *(SHARED[name] for name in attached(role))]
    return [one for policy in policies for one in listed(policy["PolicyDocument"]["Statement"])]


def granted(role: str) -> set[tuple[str, str]]:
    """Return (action, resource) pairs, with resources as text."""
    return {
        (action, str(resource))
        for one in statements(role)
        for action in listed(one["Action"])
        for resource in listed(one["Resource"])
    }


def test_every_role_belongs_to_one_function():
    assert set(ROLES) == {f"{name}Role" for name in FUNCTIONS}


@each_role
def test_a_role_is_assumed_by_lambda_only_and_has_no_policy_from_outside_the_template(role):
    (trust,) = ROLES[role]["AssumeRolePolicyDocument"]["Statement"]
    assert trust == {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    assert set(attached(role)) <= set(SHARED)


@pytest.mark.parametrize("policy", sorted(SHARED))
def test_a_shared_policy_is_attached_by_at_least_two_roles_and_by_nothing_else(policy):
    assert {"Roles", "Users", "Groups"}.isdisjoint(SHARED[policy])
    assert len([role for role in ROLES if policy in attached(role)]) > 1


@each_role
def test_every_statement_names_its_actions(role):
    for one in statements(role):
        assert set(one) == {"Effect", "Action", "Resource"}
        assert one["Effect"] == "Allow"
        assert all(re.fullmatch(r"[a-z0-9]+:[A-Z][A-Za-z]+", action) for action in listed(one["Action"]))


@each_role
def test_every_statement_names_its_resources(role):
    for one in statements(role):
        for resource in listed(one["Resource"]):
            if set(listed(one["Action"])) <= XRAY:
                assert resource == "*"
            elif listed(one["Action"]) == ["dynamodb:ListStreams"]:
                assert resource == {"Fn::Sub": "${Conversions.Arn}/stream/*"}
            else:
                assert "*" not in str(resource)
                assert isinstance(resource, dict)


@each_role
def test_no_role_may_delete_items_or_change_tables_and_queues(role):
    actions = {action for action, _ in granted(role)}
    assert not {action for action in actions if re.match(r"dynamodb:(Delete|Create|UpdateTable|UpdateTime)", action)}
    assert not actions & {"sqs:DeleteQueue", "sqs:PurgeQueue", "sqs:SetQueueAttributes"}


@each_role
def test_no_right_is_granted_twice(role):
    pairs = [
        (action, str(resource))
        for one in statements(role)
        for action in listed(one["Action"])
        for resource in listed(one["Resource"])
    ]
    assert len(pairs) == len(set(pairs))


@each_role
def test_a_function_may_write_only_its_own_log(role):
    logs = [one for one in statements(role) if any(action.startswith("logs:") for action in listed(one["Action"]))]
    assert logs == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": get_att(role.removesuffix("Role") + "Logs"),
        }
    ]


@each_role
def test_a_function_has_rights_on_exactly_the_tables_and_queues_that_it_is_given(role):
    name = role.removesuffix("Role")
    variables = FUNCTIONS[name]["Environment"]["Variables"]
    given = {value["Ref"] for variable, value in variables.items() if variable.endswith(("_TABLE", "_QUEUE_URL"))}
    for source in FUNCTIONS[name]["Events"].values():
        text = (
            "" if source["Type"] == "Schedule" else str(source["Properties"])
        )  # EventBridge itself sends to the queue
        given |= {resource for resource in TEMPLATE.resources if re.search(rf"'{resource}'", text)}
    failures = FUNCTIONS[name].get("EventInvokeConfig", {})
    given |= {resource for resource in TEMPLATE.of_type("SQS::Queue") if f"'{resource}'" in str(failures)}
    named = {
        resource
        for _, text in granted(role)
        for resource in {**TEMPLATE.of_type("DynamoDB::Table"), **TEMPLATE.of_type("SQS::Queue")}
        if re.search(rf"\b{resource}\b", text)
    }
    assert named == given - {"Api"}


@pytest.mark.parametrize("name", sorted({name for name, _ in TEMPLATE.events("SQS").values()}))
def test_a_reader_of_a_queue_may_read_it(name):
    (queue,) = [source["Queue"] for owner, source in TEMPLATE.events("SQS").values() if owner == name]
    needed = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    assert {(f"sqs:{action}", str(queue)) for action in needed} <= granted(f"{name}Role")


@pytest.mark.parametrize("name", sorted({name for name, _ in TEMPLATE.events("DynamoDB").values()}))
def test_a_reader_of_a_stream_may_read_it_and_report_its_failures(name):
    ((stream, failures),) = [
        (source["Stream"], source["DestinationConfig"]["OnFailure"]["Destination"])
        for owner, source in TEMPLATE.events("DynamoDB").values()
        if owner == name
    ]
    needed = {(f"dynamodb:{action}", str(stream)) for action in ("DescribeStream", "GetRecords", "GetShardIterator")}
    assert needed | {("sqs:SendMessage", str(failures))} <= granted(f"{name}Role")


@pytest.mark.parametrize("name", sorted(name for name in FUNCTIONS if "EventInvokeConfig" in FUNCTIONS[name]))
def test_a_scheduled_function_may_report_its_failures(name):
    queue = FUNCTIONS[name]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]
    assert ("sqs:SendMessage", str(queue)) in granted(f"{name}Role")


@pytest.mark.parametrize(
    "index",
    [
        *("Products/byStatus", "Partners/byStatus", "Users/byReferralCode"),
        *("Conversions/byDay", "Earnings/byWaiting", "Earnings/byCreditAfter"),
        *("Deliveries/byDue", "Deliveries/byPartner", "Deliveries/byState"),
    ],
)
def test_every_index_is_used_and_only_queried(index):
    table, _, name = index.partition("/")
    resource = str({"Fn::Sub": f"${{{table}.Arn}}/index/{name}"})
    actions = {action for role in ROLES for action, on in granted(role) if on == resource}
    assert actions == {"dynamodb:Query"}


def test_only_this_accounts_eventbridge_may_send_to_the_queue_of_failed_events():
    (policy,) = TEMPLATE.of_type("SQS::QueuePolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert policy["Queues"] == [{"Ref": "FailedEventsQueue"}]
    assert statement["Resource"] == get_att("FailedEventsQueue")
    assert (statement["Action"], statement["Principal"]) == ("sqs:SendMessage", {"Service": "events.amazonaws.com"})
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
