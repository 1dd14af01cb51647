"""POST and GET /postback/{uniqueKey}."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from api_docs.description import Body, Caller, Operation, Success, Tag
from ricochet.api import Queued
from ricochet.errors import (
    BodyTooLargeError,
    InvalidAmountError,
    InvalidBodyError,
    InvalidCurrencyError,
    InvalidRequestError,
    NetworkNotFoundError,
    PostbackNotAuthenticatedError,
    QueueRefusedError,
)
from ricochet.intake import presets


class NetworkPostback(BaseModel):
    """The preset's parameters, or the names that the network's `paramMap` gives them."""

    model_config = ConfigDict(extra="allow")


_ABOUT = (
    "The network sends its own format and signature; its preset defines how they are read and what is answered. "
    "Repeats and refused conversions are acknowledged too, so that the network stops; the receipt has the reason."
)
_FIELDS: dict[str, Any] = {
    "name": "fields",
    "in": "query",
    "description": NetworkPostback.__doc__,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "style": "form",
    "explode": True,
}
_BODY = Body(
    NetworkPostback,
    {"click_id": "550e8400-e29b-41d4-a716-446655440000", "status": "approved", "payout": 12.5, "transaction_id": "t1"},
    ("application/json", "application/x-www-form-urlencoded"),
    is_optional=True,
)


def _acknowledgements() -> dict[str, Any]:
    """Return the 200 response with the answer of each preset, by content type."""
    content: dict[str, Any] = {
        "text/plain": {"schema": {"type": "string"}, "examples": {}},
        "application/json": {"schema": {"type": "object"}, "examples": {}},
    }
    for name in presets.names():
        answer = presets.load(name).acknowledgement({})
        value = json.loads(answer.body) if answer.content_type == "application/json" else answer.body
        content[answer.content_type]["examples"][name] = {"value": value}
    return {"description": "The network's acknowledgement.", "content": content}


OPERATIONS = tuple(
    Operation(
        route=f"{method} /postback/{{uniqueKey}}",
        name=name,
        tag=Tag.POSTBACKS,
        caller=Caller.ANYONE,
        summary=summary,
        description=_ABOUT,
        parameters=(_FIELDS,),
        body=_BODY if method == "POST" else None,
        successes=(
            Success(
                "Postback accepted, to be processed shortly",
                Queued,
                {"receiptId": "RCPT-019A9F4C2D39-0F6C2B9E1D7A4853"},
                status=202,
            ),
        ),
        errors=(
            InvalidAmountError,
            InvalidBodyError,
            InvalidCurrencyError,
            InvalidRequestError,
            PostbackNotAuthenticatedError,
            NetworkNotFoundError,
            BodyTooLargeError,
            QueueRefusedError,
        ),
        others={200: _acknowledgements()},
    )
    for method, name, summary in (
        ("POST", "reportConversionOfNetwork", "A network reports a conversion"),
        ("GET", "reportConversionOfNetworkByUrl", "A network reports a conversion, all of it in the URL"),
    )
)
