"""The OpenAPI document, built from the descriptions in `operations` and the models that functions use."""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from api_docs.answers import FORMATS, responses_of, shared_responses
from api_docs.description import ABOUT_TAGS, Body, Caller, Json, Operation, Tag
from api_docs.fields import example, meaning
from api_docs.operations import all_operations
from api_docs.schemas import Mode, never_null, reference, schemas_of

ROOT = Path(__file__).parents[1]
PATH = ROOT / "functions" / "get_api_docs" / "openapi.json"


_REFERENCE = re.compile(r'"#/components/schemas/(\w+)"')
_PARAMETER = re.compile(r"\{(\w+)\}")


def as_text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> Json:
    operations = sorted(all_operations(), key=lambda operation: list(Tag).index(operation.tag))
    schemas = _schemas(operations)
    paths: dict[str, Json] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method] = _operation(operation, schemas)
    made: Json = {
        "openapi": "3.1.0",
        "info": _info(),
        "servers": [{"url": ".", "description": "the host that serves this document"}],
        "tags": [
            {"name": tag, "description": ABOUT_TAGS[tag]} for tag in Tag if tag in {one.tag for one in operations}
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "responses": shared_responses(),
        },
    }
    made["components"]["schemas"] = {name: _described(name, schema) for name, schema in _used(schemas, made).items()}
    return made


def _info() -> Json:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {
        "title": "Ricochet",
        "version": project["version"],
        "summary": project["description"],
        "description": (Path(__file__).parent / "introduction.md").read_text(encoding="utf-8"),
        "license": {"name": "MIT", "identifier": "MIT"},
    }


def _operation(operation: Operation, schemas: Json) -> Json:
    group = operation.caller.group
    needs = f"Needs the group `{group}`." if group else ""
    made: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": " ".join(filter(None, [operation.description, needs])),
        "security": [] if operation.caller is Caller.ANYONE else [{"bearer": []}],
        "parameters": list(_parameters(operation, schemas)),
        "responses": {str(status): answer for status, answer in sorted(responses_of(operation).items())},
    }
    if operation.body:
        made["requestBody"] = _request_body(operation.body)
    return {name: value for name, value in made.items() if value or name == "security"}


def _parameters(operation: Operation, schemas: Json) -> Iterator[Json]:
    for name in _PARAMETER.findall(operation.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": meaning("path", name),
            "schema": {"type": "string", "minLength": 1},
            "example": example(name),
        }
    if operation.query:
        model = operation.query.__name__
        query = _described(model, schemas[model])
        for name, schema in query["properties"].items():
            yield {
                "name": name,
                "in": "query",
                "required": name in query.get("required", ()),
                "description": schema["description"],
                "schema": {key: value for key, value in never_null(schema).items() if key != "description"},
            }
    yield from operation.parameters


def _request_body(body: Body) -> Json:
    content = {"schema": reference(_name(body)), "example": body.example}
    return {"required": not body.is_optional, "content": dict.fromkeys(body.content_types, content)}


def _schemas(operations: Iterable[Operation]) -> Json:
    """Return the schemas of everything that operations read and write."""
    models: list[tuple[type[BaseModel], Mode]] = []
    for operation in operations:
        models += [(operation.query, "validation")] if operation.query else []
        models += [(operation.body.model, "validation")] if operation.body else []
        models += [(success.data, "serialization") for success in operation.successes]
    schemas = schemas_of(models) | FORMATS
    for operation in operations:
        if operation.body and operation.body.is_patch:
            schemas[_name(operation.body)] = _patch(schemas[operation.body.model.__name__], operation)
    return schemas


def _described(model: str, schema: Json) -> Json:
    """Return the schema with a description of every field."""
    if "properties" not in schema:
        return schema
    properties = {
        name: field if "description" in field else {"description": meaning(model, name)} | field
        for name, field in schema["properties"].items()
    }
    return schema | {"properties": properties}


def _name(body: Body) -> str:
    return body.model.__name__.removesuffix("Input") + "Patch" if body.is_patch else body.model.__name__


def _patch(whole: Json, operation: Operation) -> Json:
    """The same fields, none of them required or with a default, less those that stand in the path."""
    in_path = _PARAMETER.findall(operation.path)
    properties = {
        name: {key: value for key, value in schema.items() if key != "default"}
        for name, schema in whole["properties"].items()
        if name not in in_path
    }
    return {"type": "object", "description": "What is left out stays as it is.", "properties": properties}


def _used(schemas: Json, made: Any) -> Json:
    """Those that the document refers to, and those that they refer to."""
    names, unread = set(), set(_REFERENCE.findall(json.dumps(made)))
    while unread:
        name = unread.pop()
        names.add(name)
        unread |= set(_REFERENCE.findall(json.dumps(schemas[name]))) - names
    return {name: schemas[name] for name in sorted(names)}
