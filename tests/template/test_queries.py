"""Saved queries read what is logged, in the logs of all functions that may log it."""

import ast
import re

import pytest

from ricochet.delivery.delivery import Delivery
from ricochet.intake.reply import IntakeReply
from ricochet.values.statuses import Outcome
from tests.template.cloudformation import ROOT, load
from tests.unit.builders import RecordedAudit, a_delivery

TEMPLATE = load()
QUERIES = TEMPLATE.of_type("Logs::QueryDefinition")
each_query = pytest.mark.parametrize("name", sorted(QUERIES))
POWERTOOLS_KEYS = {"level", "message", "service", "timestamp", "function_request_id", "exception", "exception_name"}
KEYWORDS = {"fields", "filter", "stats", "sort", "limit", "by", "as", "in", "or", "and", "not", "like", "asc", "desc"}
FUNCTIONS = {"count", "pct", "max", "bin", "ispresent"}


SOURCES = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers/ricochet/ricochet").rglob("*.py")]


def calls_in_code() -> list[ast.Call]:
    nodes = (node for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return [node for node in nodes if isinstance(node, ast.Call)]


def is_log_line(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "LogLine"


def is_logged(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "logger"


def texts_in(*nodes: ast.AST) -> set[str]:
    parts = (part for node in nodes for part in ast.walk(node) if isinstance(part, ast.Constant))
    return {part.value for part in parts if isinstance(part.value, str)}


def logged_keys() -> set[str]:
    """Return every key that is logged."""
    keys = POWERTOOLS_KEYS | set(a_delivery().log_fields()) | set(IntakeReply(Outcome.REPEAT).log_fields("RCPT-1"))
    keys |= {"network_id", "product_id"}  # the sender of a postback
    keys |= set(audit_line())
    for call in calls_in_code():
        keys |= texts_in(*(keyword.value for keyword in call.keywords if keyword.arg == "extra"))
        keys |= texts_in(call.args[1]) if is_log_line(call) else set()
    return keys


def audit_line() -> dict[str, object]:
    audit = RecordedAudit()
    audit.record_run("it.changed", "it", {})
    return audit.lines[0]


def messages() -> set[str]:
    lines = [call for call in calls_in_code() if is_log_line(call) or is_logged(call)]
    return texts_in(*(message for line in lines for message in line.args[:1]))


def names_in(query: str) -> set[str]:
    bare = re.sub(r'"[^"]*"|/[^/]*/', " ", query)
    made = set(re.findall(r"\bas (\w+)", bare))
    return set(re.findall(r"(?<![@\w])[a-z]\w*", bare)) - KEYWORDS - FUNCTIONS - made


@each_query
def test_a_query_exists_on_aws_only_and_is_named_after_the_stack_and_its_subject(name):
    assert TEMPLATE.resources[name]["Condition"] == "OnAws"
    assert re.fullmatch(r"\$\{AWS::StackName\}/[a-z' ]+", QUERIES[name]["Name"]["Fn::Sub"])


@each_query
def test_a_query_reads_keys_that_are_logged(name):
    assert names_in(QUERIES[name]["QueryString"])
    assert names_in(QUERIES[name]["QueryString"]) <= logged_keys()


@each_query
def test_a_query_filters_by_messages_that_are_logged(name):
    wanted = re.findall(r"message (?:= |in \[)([^|\]]+)", QUERIES[name]["QueryString"])
    assert {text for part in wanted for text in re.findall(r'"([^"]+)"', part)} <= messages()


@each_query
def test_a_query_searches_only_logs_of_functions_and_of_the_command_line(name):
    groups = [group["Ref"].removesuffix("Logs") for group in QUERIES[name]["LogGroupNames"]]
    assert set(groups) <= {*TEMPLATE.functions(), "Ops"}
    assert len(groups) == len(set(groups))


def test_errors_are_searched_in_the_logs_of_all_functions():
    assert {group["Ref"] for group in QUERIES["ErrorsQuery"]["LogGroupNames"]} == {
        f"{name}Logs" for name in TEMPLATE.functions()
    }


def test_a_conversions_history_is_searched_in_all_logs_that_mention_it():
    groups = {group["Ref"].removesuffix("Logs") for group in QUERIES["ConversionQuery"]["LogGroupNames"]}
    readers = {name for kind in ("DynamoDB", "SQS") for name, _ in TEMPLATE.events(kind).values()}
    intake = {"TrackClick", "ReceivePostback", "ReceiveNetworkPostback", "ManageReceipts"}
    later = {"CreditHeldEarnings", "ReconcileDeliveries", "ManageEarnings", "ManageConversions", "ManageDeliveries"}
    assert readers | intake | later <= groups


def test_a_query_for_operators_changes_includes_the_log_of_the_command_line():
    audits = [query for query in QUERIES.values() if "audit." in query["QueryString"]]
    assert audits
    assert all({"Ref": "OpsLogs"} in query["LogGroupNames"] for query in audits)


def test_no_query_reads_personal_data():
    assert not [name for name, query in QUERIES.items() if re.search(r"user_id|ip\b|email", query["QueryString"])]
    assert "user_id" not in Delivery.model_validate(a_delivery().to_item()).log_fields()
