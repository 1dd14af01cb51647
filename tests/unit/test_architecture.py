"""Rules of the shared package: which modules may import which, and what no module may do."""

import ast
import importlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "layers" / "ricochet" / "ricochet"
FUNCTIONS = Path(__file__).parents[2] / "functions"
OPS = Path(__file__).parents[2] / "ops"
MODULES = sorted(
    ".".join(["ricochet", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)

MAX_HANDLER_LINES = 15

# Which of our modules each room may import; the modules beside the rooms serve functions only.
_VALUES = {"errors", "values"}
_CLIENTS = _VALUES | {"dynamodb", "http"}
_RESULTS = {"metrics", "records"}
_LEDGER = _CLIENTS | _RESULTS | {"settings", "clicks", "ledger"}
ALLOWED = {
    "errors": set(),
    "values": {"errors", "metrics"},
    "dynamodb": _VALUES,
    "http": _VALUES,
    "clicks": _CLIENTS | {"settings"},
    "ledger": _CLIENTS | _RESULTS | {"settings", "clicks"},
    "intake": _LEDGER,
    "delivery": _LEDGER,
    "metrics": set(),
    "records": {"metrics"},
    "telemetry": _RESULTS,
    "audit": {"values", "telemetry"},
    "clients": set(),
    "settings": set(),
    "api": {"errors", "values", "dynamodb", "metrics", "telemetry"},
    "": set(),
}


def part_of(module: str) -> str:
    return ".".join(module.split(".")[1:2])


def path_of(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


class RuntimeNodes(ast.NodeVisitor):
    """Collects every node except those that only type checkers read."""

    def __init__(self) -> None:
        self.nodes: list[ast.AST] = []

    def generic_visit(self, node: ast.AST) -> None:
        self.nodes.append(node)
        super().generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for other in node.orelse:
                self.visit(other)
        else:
            self.generic_visit(node)


def runtime_nodes(path: Path) -> list[ast.AST]:
    visitor = RuntimeNodes()
    visitor.visit(tree_of(path))
    return visitor.nodes


def imports_of(path: Path) -> set[str]:
    """Return the full names of what is imported at run time, `from a import b` as both `a` and `a.b`."""
    return imports_in(path, runtime_nodes(path))


def imports_in(path: Path, nodes: Iterable[ast.AST]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_these_rules_find_the_code():
    assert set(ALLOWED) == {part_of(module) for module in MODULES}
    assert "ricochet.clicks.click" in imports_of(path_of("ricochet.ledger.settlement"))
    table = path_of("ricochet.dynamodb.table")
    assert "mypy_boto3_dynamodb" not in imports_of(table)
    assert "mypy_boto3_dynamodb" in imports_in(table, ast.walk(tree_of(table)))


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_allowed_direction_even_for_type_checkers(module):
    part, path = part_of(module), path_of(module)
    assert part in ALLOWED, f"add ricochet.{part} to ALLOWED"
    imported = imports_in(path, ast.walk(tree_of(path)))
    ours = {part_of(name) for name in imported if name.startswith("ricochet.")}
    assert ours - {part} <= ALLOWED[part]


@pytest.mark.parametrize("module", [module for module in MODULES if part_of(module) in {"values", "errors"}])
def test_values_and_errors_do_not_import_aws_libraries(module):
    roots = {name.partition(".")[0] for name in imports_of(path_of(module))}
    assert roots.isdisjoint({"boto3", "botocore", "aws_lambda_powertools"})


ONE_PLACE = {
    "CancellationReasons": "dynamodb.transaction",
    "transact_write_items": "dynamodb.transaction",
    "TransactionCanceledException": "dynamodb.transaction",
    "LastEvaluatedKey": "dynamodb.query",
    "get_paginator": None,
    "client.query": "dynamodb.table",
    "client.scan": "dynamodb.table",
    "from_item(from_wire(": "dynamodb.wire",
    "except StaleStateError": "ledger.transaction",
    "except ConversionMovedError": None,
    "except ClickTakenError": None,
    "except CapReachedError": None,
}


@pytest.mark.parametrize("text", ONE_PLACE)
def test_each_storage_mechanism_is_in_one_module(text):
    """Paging, running a transaction, and deciding again after a stale read each have one implementation."""
    using = {module for module in MODULES if text in ast.unparse(tree_of(path_of(module)))}
    assert using == ({f"ricochet.{ONE_PLACE[text]}"} if ONE_PLACE[text] else set())


OUTSIDE = {"boto3", "botocore", "http", "requests", "socket", "ssl", "urllib3"}
REACHES_OUTSIDE = {
    *("clients", "delivery.queues", "delivery.event_bus", "intake.postback_queue", "delivery.partners.partner_gate"),
    *("delivery.partners.manage_partners", "http.addresses"),  # they read addresses and refusals, and open nothing
}


@pytest.mark.parametrize("module", MODULES)
def test_only_clients_tables_and_queues_reach_outside(module):
    """Everything else is pure, or calls one of them."""
    name = module.removeprefix("ricochet.")
    if part_of(module) == "dynamodb" or (part_of(module) == "http" and name not in {"http.plain_url", "http.outbound"}):
        return
    imported = {one.partition(".")[0] for one in imports_of(path_of(module))}
    assert name in REACHES_OUTSIDE or not imported & OUTSIDE


WITHOUT_A_USE_CASE = {
    *("get_api_docs", "get_wallet", "list_earnings", "list_products"),  # one read, or a file
    *("get_click", "track_click"),  # clicks.read_click
    *("receive_postback", "receive_network_postback", "retry_postbacks"),  # intake.intake
}


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in FUNCTIONS.glob("*/app.py")))
def test_a_function_and_its_use_case_have_the_same_name(folder):
    named = [module for module in MODULES if module.rpartition(".")[2] == folder]
    imported = imports_of(FUNCTIONS / folder / "app.py")
    assert len(named) == (folder not in WITHOUT_A_USE_CASE)
    assert set(named) <= imported


@pytest.mark.parametrize("module", MODULES)
def test_the_package_never_reads_the_environment(module):
    path = path_of(module)
    assert not {"os", "os.environ", "os.getenv"} & imports_of(path)
    assert not {
        node.attr
        for node in runtime_nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }


@pytest.mark.parametrize("module", [module for module in MODULES if module != "ricochet.clients"])
def test_aws_clients_are_created_in_one_module(module):
    assert "boto3.client" not in ast.unparse(tree_of(path_of(module)))
    assert "boto3" not in {
        alias.name for node in runtime_nodes(path_of(module)) if isinstance(node, ast.Import) for alias in node.names
    }


def test_no_aws_client_is_created_at_import():
    clients = tree_of(path_of("ricochet.clients"))
    at_import = [node for node in clients.body if not isinstance(node, ast.FunctionDef)]
    assert at_import
    assert not any("boto3.client" in ast.unparse(node) for node in at_import)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_docstring_and_a_specific_name(module):
    parts = set(module.split(".")[-1].split("_"))
    assert parts.isdisjoint({"util", "utils", "helper", "helpers", "common", "misc", "shared", "base"})
    assert ast.get_docstring(tree_of(path_of(module)))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported_alone(module):
    assert importlib.import_module(module).__name__ == module


@pytest.mark.parametrize("path", sorted(FUNCTIONS.glob("*/app.py")), ids=lambda path: path.parent.name)
def test_a_function_reads_the_environment_only_through_its_settings(path):
    reads = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute) and node.attr == "environ"]
    loads = [
        node
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load"
    ]
    assert len(reads) == len(loads)
    assert all(ast.unparse(call.args) == "os.environ" for call in loads)
    assert "getenv" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(FUNCTIONS.glob("*/app.py")), ids=lambda path: path.parent.name)
def test_a_function_imports_no_other_and_its_definitions_are_short(path):
    assert not any(name.startswith(("functions", "local", "tests")) for name in imports_of(path))
    handlers = [node for node in tree_of(path).body if isinstance(node, ast.FunctionDef) and node.name == "handler"]
    assert len(handlers) == 1
    for node in tree_of(path).body:
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < MAX_HANDLER_LINES, node.name


def test_batch_record_handlers_name_their_argument_as_powertools_passes_it():
    handlers = {}
    for path in sorted(FUNCTIONS.glob("*/app.py")):
        definitions = {node.name: node for node in tree_of(path).body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.keyword) and node.arg == "record_handler":
                handlers[path.parent.name] = definitions[node.value.id]
    assert set(handlers) == {"apply_partner_replies", "retry_postbacks"}
    assert {handler.args.args[0].arg for handler in handlers.values()} == {"record"}


@pytest.mark.parametrize("module", MODULES)
def test_the_package_does_not_import_its_callers(module):
    assert not any(name.partition(".")[0] in {"ops", "local", "functions"} for name in imports_of(path_of(module)))


@pytest.mark.parametrize("name", ["doctor/facts", "doctor/judge", "durations", "story/timeline"])
def test_judging_and_formatting_modules_of_the_command_line_do_no_lookups(name):
    imported = imports_of(OPS / f"{name}.py")
    assert {module.partition(".")[0] for module in imported}.isdisjoint({"boto3", "botocore", "requests", "socket"})
    looks_up = {"ops.stacks", "ops.target", "ops.listing", "ops.parallel", "ops.doctor.observe", "ops.story.find"}
    assert imported.isdisjoint(looks_up)
    assert not any(re.match(r"ricochet\..*_table$", module) for module in imported)


@pytest.mark.parametrize("path", sorted(OPS.rglob("*.py")), ids=lambda path: str(path.relative_to(OPS)))
def test_each_module_of_the_command_line_has_a_docstring(path):
    assert ast.get_docstring(tree_of(path))
    assert path.stem not in {"utils", "helpers", "common"}


@pytest.mark.parametrize("path", [*sorted(FUNCTIONS.glob("*/app.py")), *sorted(OPS.rglob("*.py"))], ids=str)
def test_only_use_cases_write_audit_lines(path):
    assert not {
        node.func.attr
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"record_change", "record_run"}
    }
