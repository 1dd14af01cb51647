"""GET /openapi.json and GET /docs."""

from typing import Any

from api_docs.description import Caller, Operation, Tag

_HEADERS: dict[str, Any] = {
    "ETag": {
        "schema": {"type": "string"},
        "description": "Send it as `If-None-Match` with the next request.",
    },
    "Cache-Control": {"schema": {"type": "string"}},
}
_CONDITION = (
    {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of an earlier answer.",
        "schema": {"type": "string"},
    },
)


def _answers(content_type: str, schema: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {
        200: {"description": "The document.", "headers": _HEADERS, "content": {content_type: {"schema": schema}}},
        304: {"description": "The document has not changed.", "headers": _HEADERS},
    }


OPERATIONS = (
    Operation(
        route="GET /openapi.json",
        name="getOpenApi",
        tag=Tag.DOCUMENTATION,
        caller=Caller.ANYONE,
        summary="This description, for machines",
        parameters=_CONDITION,
        others=_answers("application/json", {"type": "object", "required": ["openapi", "info", "paths"]}),
    ),
    Operation(
        route="GET /docs",
        name="getDocs",
        tag=Tag.DOCUMENTATION,
        caller=Caller.ANYONE,
        summary="This description, for people",
        parameters=_CONDITION,
        others=_answers("text/html", {"type": "string"}),
    ),
)
