"""Who may call which route: a short list is public, all others require a token."""

import ast
import re

import pytest

from tests.template.cloudformation import ROOT, get_att, load

TEMPLATE = load()
API = TEMPLATE.resources["Api"]["Properties"]
ROUTES = {
    f"{source['Method']} {source['Path']}": (name, source) for name, source in TEMPLATE.events("HttpApi").values()
}
PUBLIC = {
    "GET /api/v1/earn/track/{clickId}",
    *(f"{method} {path}" for method in ("GET", "POST") for path in ("/api/v1/earn/postback", "/postback/{uniqueKey}")),
    *("GET /openapi.json", "GET /docs"),
}
BEARER = {
    "POST /api/v1/earn/products/{productId}/click",
    "GET /api/v1/earn/clicks/{clickId}",
    "GET /api/v1/earn/products",
    "GET /api/v1/earn/earnings",
    "GET /api/v1/earn/wallet",
    "PUT /api/v1/earn/referrer",
    "GET /api/v1/earn/referrer",
    *(f"{method} /api/v1/admin/{kind}" for kind in ("products", "partners", "networks") for method in ("GET", "POST")),
    *(f"{method} /api/v1/admin/products/{{productId}}" for method in ("GET", "PATCH")),
    *(f"{method} /api/v1/admin/partners/{{partnerId}}" for method in ("GET", "PATCH")),
    *(f"{method} /api/v1/admin/networks/{{networkId}}" for method in ("GET", "PATCH")),
    "GET /api/v1/admin/earnings",
    *(f"POST /api/v1/admin/earnings/{{userId}}/{{earningId}}/{verb}" for verb in ("approve", "reject")),
    "GET /api/v1/admin/conversions",
    "GET /api/v1/admin/conversions/{conversionId}",
    "POST /api/v1/admin/conversions/{conversionId}/status",
    "GET /api/v1/admin/receipts",
    "GET /api/v1/admin/receipts/{receiptId}",
    "POST /api/v1/admin/receipts/{receiptId}/replay",
    "GET /api/v1/admin/deliveries",
    "GET /api/v1/admin/deliveries/undelivered",
    "GET /api/v1/admin/deliveries/{conversionId}/{version}/{partnerId}",
    "POST /api/v1/admin/deliveries/{conversionId}/{version}/{partnerId}/replay",
    "POST /api/v1/admin/deliveries/replay",
    "POST /api/v1/admin/deliveries/redrive",
    "GET /api/v1/partner/profile",
    "PUT /api/v1/partner/profile",
    "POST /api/v1/partner/profile/secret",
    "POST /api/v1/partner/profile/test",
    "GET /api/v1/partner/deliveries",
    "GET /api/v1/partner/deliveries/{conversionId}/{version}",
}
SENDING_REQUESTS = {  # routes that resolve or call a host of the caller's choice, or replace a secret
    "PUT /api/v1/partner/profile",
    "POST /api/v1/partner/profile/secret",
    "POST /api/v1/partner/profile/test",
}


def routes_in_code(name: str) -> set[str]:
    """Return the routes that a function's resolver handles, in API Gateway's notation."""
    source = (ROOT / TEMPLATE.functions()[name]["CodeUri"] / "app.py").read_text(encoding="utf-8")
    found = {(verb.upper(), path) for verb, path in re.findall(r'@app\.(get|post|put|patch)\("([^"]+)"', source)}
    for path, methods in re.findall(r'@app\.route\("([^"]+)", method=\[([^\]]+)\]', source):
        found |= {(method.strip(' "'), path) for method in methods.split(",")}
    return {f"{method} {re.sub(r'<(\w+)>', _in_braces, path)}" for method, path in found}


def _in_braces(match: re.Match) -> str:
    first, *others = match[1].split("_")
    return "{" + first + "".join(word.capitalize() for word in others) + "}"


def test_exactly_these_routes_are_public():
    assert {route for route, (_, source) in ROUTES.items() if source.get("Auth") == {"Authorizer": "NONE"}} == PUBLIC


def test_all_other_routes_have_the_authorizer():
    assert set(ROUTES) - PUBLIC == BEARER
    assert API["Auth"]["DefaultAuthorizer"] == "Jwt"
    assert all("Auth" not in source for route, (_, source) in ROUTES.items() if route not in PUBLIC)


def test_every_route_is_on_the_same_api_and_unique():
    events = TEMPLATE.events("HttpApi").values()
    assert all(source["ApiId"] == {"Ref": "Api"} for _, source in events)
    assert len(ROUTES) == len(events)
    assert all(re.fullmatch(r"(GET|POST|PUT|PATCH) /[\w/{}]+(\.json)?", route) for route in ROUTES)


@pytest.mark.parametrize("name", sorted({name for name, _ in ROUTES.values()}))
def test_a_function_handles_exactly_the_routes_that_lead_to_it(name):
    assert routes_in_code(name) == {route for route, (owner, _) in ROUTES.items() if owner == name}


@pytest.mark.parametrize(
    ("name", "kind"),
    sorted(
        {(name, kind) for route, (name, _) in ROUTES.items() for kind in ("admin", "partner") if f"/{kind}/" in route}
    ),
)
def test_a_function_for_operators_or_partners_requires_their_group(name, kind):
    source = (ROOT / TEMPLATE.functions()[name]["CodeUri"] / "app.py").read_text(encoding="utf-8")
    assert f"{kind}s_only(app, settings.groups_claim)" in source
    assert all(f"/{kind}/" in route for route, (owner, _) in ROUTES.items() if owner == name)


@pytest.mark.parametrize("name", sorted({name for route, (name, _) in ROUTES.items() if "/partner/" in route}))
def test_every_route_for_partners_identifies_the_partner(name):
    source = (ROOT / TEMPLATE.functions()[name]["CodeUri"] / "app.py").read_text(encoding="utf-8")
    routes = re.findall(r"^@app\..*?(?=^@|\Z)", source, re.MULTILINE | re.DOTALL)
    assert routes
    assert all("me()" in route for route in routes)


@pytest.mark.parametrize(
    "name", sorted({name for route, (name, _) in ROUTES.items() if "/admin/" in route and not route.startswith("GET")})
)
def test_what_operators_change_is_written_to_the_audit_log(name):
    source = (ROOT / TEMPLATE.functions()[name]["CodeUri"] / "app.py").read_text(encoding="utf-8")
    assert "AuditLog(lambda: user_of(app.current_event))" in source


WRITING = {"create", "update", "replay", "decide", "correct", "rotate_secret", "everything", "__call__"}


def classes_with_an_audit() -> list[ast.ClassDef]:
    package = ROOT / "layers/ricochet/ricochet"
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))]
    nodes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return [node for node in nodes if "audit: Audit" in ast.unparse(node)]


@pytest.mark.parametrize("use_case", classes_with_an_audit(), ids=lambda node: node.name)
def test_each_writing_method_of_a_use_case_records_what_it_changed(use_case):
    methods = {node.name: node for node in use_case.body if isinstance(node, ast.FunctionDef)}

    def records(name: str) -> bool:
        called = {
            node.func.attr
            for node in ast.walk(methods[name])
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        return bool(called & {"record_change", "record_run"}) or any(
            records(one) for one in called & set(methods) - {name}
        )

    writing = WRITING & set(methods)
    assert writing
    assert all(records(name) for name in writing)


@pytest.mark.parametrize(
    ("parameters", "issuer", "audience"),
    [
        ({}, {"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${UserPool}"}, {"Ref": "UserPoolClient"}),
        ({"JwtIssuer": "https://idp.example", "JwtAudience": "app"}, "https://idp.example", "app"),
    ],
    ids=["cognito", "any other provider"],
)
def test_tokens_are_checked_against_one_issuer_and_audience(parameters, issuer, audience):
    authorizer = API["Auth"]["Authorizers"]["Jwt"]
    resolved = TEMPLATE.resolve(authorizer["JwtConfiguration"], **parameters)
    assert resolved == {"issuer": issuer, "audience": [audience]}
    assert authorizer["IdentitySource"] == "$request.header.Authorization"


def test_public_routes_and_those_that_send_requests_have_their_own_throttles():
    default = API["DefaultRouteSettings"]
    assert set(API["RouteSettings"]) == PUBLIC | SENDING_REQUESTS
    assert all(API["RouteSettings"][route]["ThrottlingBurstLimit"] <= 10 for route in SENDING_REQUESTS)
    for limits in API["RouteSettings"].values():
        assert 0 < limits["ThrottlingBurstLimit"] <= default["ThrottlingBurstLimit"]
        assert 0 < limits["ThrottlingRateLimit"] <= default["ThrottlingRateLimit"]


def test_the_access_log_has_no_personal_data():
    settings = API["AccessLogSettings"]
    assert settings["DestinationArn"] == get_att("ApiLogs")
    assert not re.search(r"sourceIp|claims|\.path|userAgent|queryString|header", settings["Format"])
