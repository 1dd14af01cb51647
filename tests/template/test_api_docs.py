"""The API's description covers every route and every error, and its examples match their schemas."""

import ast
import json
from functools import cache
from itertools import chain

import jsonschema_rs
import pytest
import schemathesis

from api_docs import operations
from api_docs.description import Caller
from api_docs.document import PATH, as_text
from api_docs.fields import EXAMPLES, FIELDS
from ricochet import errors
from tests.template.test_routes import PUBLIC, ROUTES, TEMPLATE
from tests.unit.test_architecture import FUNCTIONS, MODULES, imports_of, path_of, tree_of

DOCUMENT = json.loads(PATH.read_text(encoding="utf-8"))
PRESETS = "ricochet.intake.presets"
FOLDERS = sorted({TEMPLATE.functions()[name]["CodeUri"].removeprefix("functions/") for name, _ in ROUTES.values()})
ALL = operations.all_operations()
ERRORS = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.RicochetError)}
each_function = pytest.mark.parametrize("folder", FOLDERS)
each_operation = pytest.mark.parametrize("operation", ALL, ids=lambda operation: operation.route)


def operations_of(folder: str):
    try:
        return operations.operations_of(folder)
    except ModuleNotFoundError as missing:
        pytest.fail(f"describe functions/{folder} in api_docs/operations/{folder}.py, then `make docs` ({missing})")


def test_the_document_is_up_to_date():
    assert PATH.read_text(encoding="utf-8") == as_text(), "run `make docs`"


def test_the_document_is_openapi():
    schemathesis.openapi.from_dict(DOCUMENT).validate()


@each_function
def test_exactly_the_routes_of_a_function_are_described(folder):
    routes = {
        route for route, (name, _) in ROUTES.items() if TEMPLATE.functions()[name]["CodeUri"] == f"functions/{folder}"
    }
    described = {operation.route for operation in operations_of(folder)}
    assert described == routes, f"api_docs/operations/{folder}.py and template.yaml differ; change it, then `make docs`"


def test_every_description_belongs_to_a_function():
    assert {operation.route for operation in ALL} == set(ROUTES)
    assert len({operation.name for operation in ALL}) == len(ALL)


@each_operation
def test_only_public_operations_need_no_token(operation):
    assert (operation.caller is Caller.ANYONE) is (operation.route in PUBLIC)
    assert (operation.caller is Caller.ADMIN) is ("/admin/" in operation.path)
    assert (operation.caller is Caller.PARTNER) is ("/partner/" in operation.path)


@each_function
def test_a_described_error_can_be_raised(folder):
    raised = set(chain.from_iterable(errors_made_in(module) for module in reached_from(folder)))
    described = {error.__name__ for operation in operations_of(folder) for error in operation.errors}
    assert described <= raised


def use_case_of(folder: str) -> str | None:
    """Return the module with the function's name, in any room."""
    return next((module for module in MODULES if module.rpartition(".")[2] == folder), None)


@pytest.mark.parametrize("folder", [name for name in FOLDERS if use_case_of(name)])
def test_every_error_of_a_functions_use_case_is_described(folder):
    described = {error.__name__ for operation in operations_of(folder) for error in operation.errors}
    assert errors_made_in(use_case_of(folder)) <= described


@cache
def errors_made_in(module: str) -> frozenset[str]:
    """Return every error that the module makes: called, or raised by its bare name."""
    nodes = list(ast.walk(tree_of(path_of(module))))
    made = [node.func for node in nodes if isinstance(node, ast.Call)]
    made += [node.exc for node in nodes if isinstance(node, ast.Raise)]
    return frozenset(one.id for one in made if isinstance(one, ast.Name) and hasattr(errors, one.id))


def reached_from(folder: str) -> set[str]:
    """Return our modules that the function imports, also indirectly; presets are loaded by name."""
    presets = {module for module in MODULES if module.startswith(f"{PRESETS}.")}
    reached, unread = set(), imports_of(FUNCTIONS / folder / "app.py")
    while unread:
        module = unread.pop()
        if module in reached or not module.startswith("ricochet.") or not path_of(module).exists():
            continue
        reached.add(module)
        unread |= imports_of(path_of(module)) | (presets if module == PRESETS else set())
    return reached


def media_types():
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            for place in (operation.get("requestBody", {}), *operation["responses"].values()):
                for kind, media in place.get("content", {}).items():
                    examples = [one["value"] for one in media.get("examples", {}).values()]
                    yield (
                        f"{method} {path} {kind}",
                        media["schema"],
                        [media["example"]] if "example" in media else examples,
                    )


@pytest.mark.parametrize(
    ("schema", "example"),
    [pytest.param(schema, example, id=name) for name, schema, examples in media_types() for example in examples],
)
def test_an_example_matches_its_schema(schema, example):
    validator = jsonschema_rs.validator_for(schema | {"components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(example)] == []


def test_every_error_that_callers_may_get_is_described_separately():
    text = PATH.read_text(encoding="utf-8")
    internal = {errors.RequestError, errors.ConflictError, errors.ServerFailureError, errors.DeliveryBusyError}
    answered = {
        kind for kind in ERRORS if issubclass(kind, (errors.RequestError, errors.ServerFailureError))
    } - internal
    assert len(answered) > 40
    assert [kind.code for kind in answered if f"- `{kind.code}`: {kind.meaning}" not in text] == []


def test_every_meaning_of_a_field_is_used():
    text = PATH.read_text(encoding="utf-8")
    assert [name for name, meaning in FIELDS.items() if json.dumps(meaning, ensure_ascii=False) not in text] == []
    assert all(f"{{{name}}}" in text for name in EXAMPLES)
