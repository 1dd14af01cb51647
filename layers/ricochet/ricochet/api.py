"""The HTTP contract: the envelope of every answer, the caller, and the status of each error."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from ricochet.dynamodb.paging import parse_limit
from ricochet.errors import (
    BodyTooLargeError,
    ClickExpiredError,
    ConflictError,
    ForbiddenError,
    InvalidBodyError,
    InvalidRequestError,
    NotFoundError,
    RicochetError,
    ServerFailureError,
    UnknownStatusError,
)
from ricochet.metrics import Metric
from ricochet.telemetry import count, logger
from ricochet.values.entity import Model, View
from ricochet.values.inputs import MAX_BODY_BYTES, parse_json_object, validate
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import json_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
    from pydantic import BaseModel

# The most specific class of an error decides; anything that is not here is a 500.
STATUS_OF: Mapping[type[RicochetError], int] = {
    InvalidRequestError: 400,
    ForbiddenError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    ClickExpiredError: 410,
    BodyTooLargeError: 413,
    UnknownStatusError: 422,
    ServerFailureError: 503,
}


def resolver() -> APIGatewayHttpResolver:
    """Return a Powertools resolver that answers in our envelope, whatever is raised."""
    app = APIGatewayHttpResolver(serializer=to_json)

    @app.exception_handler(RicochetError)  # type: ignore[untyped-decorator]
    def refuse(error: RicochetError) -> Response[dict[str, Any]]:
        logger.info("refused", extra={"code": error.code, "reason": error.message})
        return failure(error)

    @app.not_found
    def no_route(_: Exception) -> Response[dict[str, Any]]:
        return failure(NotFoundError())

    @app.exception_handler(Exception)  # type: ignore[untyped-decorator]
    def fail(error: Exception) -> Response[dict[str, Any]]:
        logger.error("failed", exc_info=error)
        return failure(ServerFailureError("something failed on our side; please try again"), 500)

    return app


def success(message: str, data: Model, *, status: int = 200, warnings: Sequence[str] = ()) -> Response[dict[str, Any]]:
    body = {"success": True, "message": message, "data": data.to_json()}
    return _response(status, body | {"warnings": list(warnings)} if warnings else body)


class Queued(View):
    """The answer to a postback that is processed later."""

    receipt_id: str


def queued(receipt_id: str) -> Response[dict[str, Any]]:
    """Return 202 for a postback that our own side failed on, and that is processed later."""
    count(Metric.POSTBACKS_QUEUED)
    return success("Postback accepted, to be processed shortly", Queued(receipt_id=receipt_id), status=202)


def failure(error: RicochetError, status: int | None = None) -> Response[dict[str, Any]]:
    code = "INTERNAL_ERROR" if status == 500 else error.code
    body = {"success": False, "message": error.message, "error": {"code": code, "details": error.details}}
    return _response(status or status_of(error), body)


def _response(status: int, body: dict[str, Any]) -> Response[dict[str, Any]]:
    return Response(status, "application/json", body, headers={"Cache-Control": "no-store"})


def status_of(error: RicochetError) -> int:
    return next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 500)


def to_json(value: Any) -> str:
    return json.dumps(value, default=_number, separators=(",", ":"), ensure_ascii=False)


def _number(value: object) -> int | float:
    if isinstance(value, Decimal):
        return json_number(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def claims_of(event: APIGatewayProxyEventV2) -> dict[str, str]:
    """Return the verified token's claims: without a token, API Gateway calls no function behind its authorizer."""
    claims: dict[str, str] = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    return claims


def user_of(event: APIGatewayProxyEventV2) -> str:
    """Return the user id (`sub`) of the caller."""
    try:
        return claims_of(event)["sub"]
    except KeyError as error:
        raise ForbiddenError("the token names no user") from error


def groups_of(event: APIGatewayProxyEventV2, claim: str) -> list[str]:
    """Return the caller's groups: API Gateway writes a list claim as `[a b]`."""
    return claims_of(event).get(claim, "").strip("[]").split()


def admins_only(app: APIGatewayHttpResolver, claim: str) -> None:
    """Make every route of `app` answer 403 to callers whose `claim` does not hold the group `admins`."""
    _members_only(app, claim, "admins")


def partners_only(app: APIGatewayHttpResolver, claim: str) -> None:
    """Do the same for the group `partners`; it does not say which partner the caller is."""
    _members_only(app, claim, "partners")


def _members_only(app: APIGatewayHttpResolver, claim: str, group: str) -> None:
    def check(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
        if group not in groups_of(app.current_event, claim):
            raise ForbiddenError(f"this needs the group {group}")
        return next_middleware(app)

    app.use([check])


def page_of(event: APIGatewayProxyEventV2) -> tuple[int, str | None]:
    """Return `limit` and `cursor` of a listing's query."""
    query = event.query_string_parameters
    return parse_limit(query.get("limit")), query.get("cursor")


def status_filter_of(event: APIGatewayProxyEventV2) -> Lifecycle | None:
    status = event.query_string_parameters.get("status")
    if status is not None and status not in set(Lifecycle):
        detail = f"status: must be one of {', '.join(Lifecycle)}"
        raise InvalidRequestError(detail, [detail])
    return Lifecycle(status) if status else None


def public_base_url(event: APIGatewayProxyEventV2) -> str:
    """Return where the API is reached: the domain is API Gateway's own, never a header's."""
    return f"https://{event.request_context.domain_name}"


def parse_body[M: BaseModel](event: APIGatewayProxyEventV2, model: type[M]) -> M:
    """Return the body as a `model`; an empty body is an empty object.

    Raise BodyTooLargeError, InvalidBodyError, or InvalidRequestError with one detail for each field that is wrong.
    """
    return validate(json_object(event), model)


def json_object(event: APIGatewayProxyEventV2) -> dict[str, Any]:
    try:
        text = event.decoded_body or ""
    except ValueError as error:
        raise InvalidBodyError("the body is not UTF-8") from error
    if len(text.encode(errors="replace")) > MAX_BODY_BYTES:
        raise BodyTooLargeError(f"the body is over {MAX_BODY_BYTES // 1024} KiB")
    return parse_json_object(text) if text.strip() else {}
