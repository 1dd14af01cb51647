"""The possible answers of an operation: successes, our errors, and API Gateway's own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from api_docs.description import Caller, Errors, Json, Operation, Success
from api_docs.fields import FIELDS
from api_docs.schemas import name_of, reference
from ricochet import api
from ricochet.errors import ForbiddenError, NotFoundError, RicochetError


class _Own(NamedTuple):
    message: str
    meaning: str


# Answers that API Gateway gives by itself, in its own format.
GATEWAY = {
    401: _Own("Unauthorized", "there is no valid token"),
    404: _Own("Not Found", "no route has this path"),
    413: _Own("Request Entity Too Large", "the body is too large for API Gateway"),
    429: _Own("Too Many Requests", "too many requests for this route; try again later"),
    500: _Own("Internal Server Error", "something failed on our side"),
    503: _Own("Service Unavailable", "there was no answer in time; try again"),
}
_EVERYWHERE = (429, 500, 503)

FORMATS: Json = {
    "Failure": {
        "type": "object",
        "properties": {
            "success": {"const": False},
            "message": {"type": "string"},
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "details": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["code", "details"],
                "additionalProperties": False,
            },
        },
        "required": ["success", "message", "error"],
        "additionalProperties": False,
    },
    "GatewayMessage": {
        "type": "object",
        "description": "An answer of API Gateway itself.",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
        "additionalProperties": False,
    },
}


def responses_of(operation: Operation) -> dict[int, Json]:
    responses = {success.status: _success(success) for success in operation.successes} | dict(operation.others)
    kinds = _errors_by_status(operation)
    for status in {*kinds, *_gateway_statuses(operation)}:
        if status in kinds:
            responses[status] = _failure(status, kinds[status], from_gateway=status in _gateway_statuses(operation))
        else:
            responses[status] = {"$ref": f"#/components/responses/Gateway{status}"}
    return responses


def _errors_by_status(operation: Operation) -> dict[int, list[type[RicochetError]]]:
    implied: Errors = (ForbiddenError,) if operation.caller.group else ()
    implied += (NotFoundError,) if "{" in operation.path else ()  # such as a quote where an id should be
    kinds: dict[int, list[type[RicochetError]]] = defaultdict(list)
    for kind in dict.fromkeys((*operation.errors, *implied)):
        kinds[api.status_of(kind(""))].append(kind)
    return kinds


def _gateway_statuses(operation: Operation) -> set[int]:
    own = {401: operation.caller is not Caller.ANYONE, 404: "{" in operation.path, 413: operation.body is not None}
    return {status for status, comes in own.items() if comes} | set(_EVERYWHERE)


def _success(success: Success) -> Json:
    properties = {
        "success": {"const": True},
        "message": {"type": "string"},
        "data": reference(name_of(success.data)),
        "warnings": {"type": "array", "items": {"type": "string"}, "description": FIELDS["warnings"]},
    }
    if not success.warnings:
        del properties["warnings"]
    schema = {
        "type": "object",
        "properties": properties,
        "required": ["success", "message", "data"],
        "additionalProperties": False,
    }
    example = {"success": True, "message": success.message, "data": success.example}
    return _response(success.message, schema, example | ({"warnings": success.warnings} if success.warnings else {}))


def _failure(status: int, kinds: list[type[RicochetError]], *, from_gateway: bool) -> Json:
    only = {"properties": {"error": {"properties": {"code": {"enum": [kind.code for kind in kinds]}}}}}
    schema: Json = {"allOf": [reference("Failure"), only]}
    lines = [f"- `{kind.code}`: {kind.meaning}" for kind in kinds]
    if from_gateway:
        schema = {"anyOf": [schema, reference("GatewayMessage")]}
        lines.append(f"- API Gateway's own: {GATEWAY[status].meaning}")
    return _response("\n".join(lines), schema, api.failure(kinds[0]()).body)


def shared_responses() -> Json:
    return {f"Gateway{status}": _gateway_response(status) for status in (401, *_EVERYWHERE)}


def _gateway_response(status: int) -> Json:
    own = GATEWAY[status]
    if status != 500:
        return _response(own.meaning, reference("GatewayMessage"), {"message": own.message})
    ours = api.failure(RicochetError("something failed on our side; please try again"), status).body
    return _response(own.meaning, {"anyOf": [reference("Failure"), reference("GatewayMessage")]}, ours)


def _response(description: str, schema: Json, example: Any) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}
