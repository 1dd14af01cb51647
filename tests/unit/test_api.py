"""The envelope of every answer, and reading API Gateway events."""

import base64
import json
from decimal import Decimal
from types import SimpleNamespace

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.data_classes.api_gateway_proxy_event import APIGatewayProxyEventV2 as Event

from ricochet import api
from ricochet.clicks.user import User
from ricochet.errors import (
    BodyTooLargeError,
    ClickExpiredError,
    ForbiddenError,
    InvalidBodyError,
    InvalidLimitError,
    InvalidRequestError,
)
from ricochet.values.entity import View
from ricochet.values.lifecycle import Lifecycle


def an_event(path: str = "/thing", method: str = "GET", claims: dict | None = None, **changes) -> dict:
    context = {"http": {"method": method, "path": path}, "stage": "$default", "domainName": "api.example"}
    if claims is not None:
        context["authorizer"] = {"jwt": {"claims": claims}}
    return {"rawPath": path, "headers": {"host": "evil.example"}, "requestContext": context} | changes


def event(**changes) -> APIGatewayProxyEventV2:
    return Event(an_event(**changes))


def answer_of(route, **changes) -> tuple[dict, dict]:
    app = api.resolver()
    app.get("/thing")(route)
    reply = app.resolve(an_event(**changes), SimpleNamespace())
    return reply, json.loads(reply["body"])


def raising(error: Exception):
    def route():
        raise error

    return route


class Empty(View):
    pass


class Thing(View):
    amount: Decimal
    n: Decimal
    name: str
    nothing: str | None
    absent: str | None = None


def test_a_success_contains_its_message_and_data():
    reply, body = answer_of(
        lambda: api.success("Found", Thing(amount=Decimal("1.50"), n=Decimal(2), name="\u00e9", nothing=None))
    )
    assert body == {
        "success": True,
        "message": "Found",
        "data": {"amount": 1.5, "n": 2, "name": "\u00e9", "nothing": None},
    }
    assert reply["statusCode"] == 200
    assert reply["headers"] == {"Content-Type": "application/json", "Cache-Control": "no-store"}


def test_warnings_are_included_only_if_there_are_any():
    reply, body = answer_of(lambda: api.success("Created", Empty(), status=201, warnings=("careful",)))
    assert (reply["statusCode"], body["warnings"]) == (201, ["careful"])
    assert "warnings" not in answer_of(lambda: api.success("Created", Empty()))[1]


def test_an_error_has_a_code_and_details():
    reply, body = answer_of(raising(ClickExpiredError("too late", ["click: expired"])))
    assert reply["statusCode"] == 410
    assert body == {
        "success": False,
        "message": "too late",
        "error": {"code": "CLICK_EXPIRED", "details": ["click: expired"]},
    }


def test_an_unexpected_error_reveals_nothing():
    reply, body = answer_of(raising(RuntimeError("the secret is s3cret")))
    assert (reply["statusCode"], body["error"]) == (500, {"code": "INTERNAL_ERROR", "details": []})
    assert "s3cret" not in reply["body"]
    assert "RuntimeError" not in reply["body"]


@pytest.mark.parametrize("path", ["/nothing", "/thing/x", "/named/a/b", '/named/"', "/named/\\", "/named/\U0001f600"])
def test_an_unknown_path_is_not_found(path):
    app = api.resolver()
    app.get("/thing")(lambda: api.success("Found", Empty()))
    app.get("/named/<name>")(lambda name: api.success(name, Empty()))
    reply = app.resolve(an_event(path=path), SimpleNamespace())
    assert (reply["statusCode"], json.loads(reply["body"])["success"]) == (404, False)


def test_a_value_that_json_cannot_express_is_our_own_error():
    with pytest.raises(TypeError, match="set is not JSON"):
        api.to_json({"a": {1}})


def test_the_user_is_the_tokens_subject():
    assert api.user_of(event(claims={"sub": "user_1"})) == "user_1"


@pytest.mark.parametrize("claims", [None, {}])
def test_a_token_without_a_user_is_refused(claims):
    with pytest.raises(ForbiddenError):
        api.user_of(event(claims=claims))


@pytest.mark.parametrize(
    ("claim", "groups"),
    [
        ("[admins partners]", ["admins", "partners"]),
        ("[admins]", ["admins"]),
        ("admins", ["admins"]),
        ("[]", []),
        ("", []),
        (None, []),
    ],
)
def test_groups_are_parsed_in_the_format_of_api_gateway(claim, groups):
    claims = {} if claim is None else {"cognito:groups": claim}
    assert api.groups_of(event(claims=claims), "cognito:groups") == groups


@pytest.mark.parametrize(
    ("claim", "status"),
    [("[admins]", 200), ("[users admins]", 200), ("[partners]", 403), ("[admins2]", 403), ("[Admins]", 403), ("", 403)],
)
def test_a_route_for_admins_answers_only_admins(claim, status):
    app = api.resolver()
    api.admins_only(app, "roles")
    app.get("/thing")(lambda: api.success("Found", Empty()))
    reply = app.resolve(an_event(claims={"sub": "u", "roles": claim}), SimpleNamespace())
    assert reply["statusCode"] == status
    assert json.loads(reply["body"])["success"] is (status == 200)


@pytest.mark.parametrize(
    ("claim", "status"), [("[partners]", 200), ("[admins]", 403), ("[partners2 a]", 403), ("", 403)]
)
def test_a_route_for_partners_answers_only_partners(claim, status):
    app = api.resolver()
    api.partners_only(app, "roles")
    app.get("/thing")(lambda: api.success("Found", Empty()))
    reply = app.resolve(an_event(claims={"sub": "u", "roles": claim}), SimpleNamespace())
    assert reply["statusCode"] == status


def test_groups_are_read_from_the_configured_claim():
    app = api.resolver()
    api.admins_only(app, "roles")
    app.get("/thing")(lambda: api.success("Found", Empty()))
    reply = app.resolve(an_event(claims={"sub": "u", "cognito:groups": "[admins]"}), SimpleNamespace())
    assert reply["statusCode"] == 403


@pytest.mark.parametrize(
    ("query", "page"),
    [({}, (20, None)), ({"limit": "5"}, (5, None)), ({"limit": "5", "cursor": "abc"}, (5, "abc"))],
)
def test_limit_and_cursor_are_read_from_the_query(query, page):
    assert api.page_of(event(queryStringParameters=query)) == page


def test_an_invalid_limit_in_the_query_is_refused():
    with pytest.raises(InvalidLimitError):
        api.page_of(event(queryStringParameters={"limit": "0"}))


@pytest.mark.parametrize(
    ("query", "status"),
    [({}, None), ({"status": "paused"}, Lifecycle.PAUSED), ({"status": "active"}, Lifecycle.ACTIVE)],
)
def test_a_listing_can_be_filtered_by_status(query, status):
    assert api.status_filter_of(event(queryStringParameters=query)) is status


@pytest.mark.parametrize("status", ["", "Active", "deleted"])
def test_the_error_of_an_unknown_status_filter_names_the_known_statuses(status):
    with pytest.raises(InvalidRequestError, match="status: must be one of active, paused, archived"):
        api.status_filter_of(event(queryStringParameters={"status": status}))


def test_the_public_url_never_comes_from_a_header():
    assert api.public_base_url(event()) == "https://api.example"


@pytest.mark.parametrize("body", [None, "", "  "])
def test_an_empty_body_is_an_empty_object(body):
    assert api.json_object(event(body=body)) == {}


def test_numbers_in_a_body_stay_exact():
    assert api.json_object(event(body='{"a": 0.10}')) == {"a": Decimal("0.10")}
    encoded = base64.b64encode('{"a": "\u00e9"}'.encode()).decode()
    assert api.json_object(event(body=encoded, isBase64Encoded=True)) == {"a": "\u00e9"}


@pytest.mark.parametrize("body", ["[1]", "null", "{", "a=b", '{"a": 1}}'])
def test_a_body_that_is_not_a_json_object_is_refused(body):
    with pytest.raises(InvalidBodyError):
        api.json_object(event(body=body))


@pytest.mark.parametrize("body", ["/w==", "a"])
def test_a_body_that_is_not_text_is_refused(body):
    with pytest.raises(InvalidBodyError):
        api.json_object(event(body=body, isBase64Encoded=True))


@pytest.mark.parametrize("letter", ["a", "\u4e2d"])
def test_a_body_over_256_kib_is_refused(letter):
    body = f'{{"a": "{letter * (256 * 1024 // len(letter.encode()))}"}}'
    with pytest.raises(BodyTooLargeError):
        api.json_object(event(body=body))


def test_a_body_is_parsed_into_a_model_and_an_error_names_the_field():
    assert api.parse_body(event(body='{"userId": "u"}'), User) == User(user_id="u")
    with pytest.raises(InvalidRequestError, match="userId: "):
        api.parse_body(event(body='{"userId": 5}'), User)
