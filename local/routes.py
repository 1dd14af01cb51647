"""The API's routes. SAM puts them into an OpenAPI document, which the embedded AWS does not read.

So we read that document, and create its routes, integrations and authorizer one by one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.emulator import Aws

_FUNCTION = re.compile(r"functions/\$\{(\w+)\.Arn\}/invocations")


@dataclass(frozen=True)
class _Route:
    key: str
    function: str  # logical id
    authorized: bool


def create_routes(aws: Aws, stack_name: str, outputs: dict[str, str]) -> None:
    """Create the routes of the deployed template that are missing, and delete those that it no longer has."""
    api_id = outputs["ApiId"]
    existing = {route["RouteKey"]: route for route in aws.apigatewayv2.get_routes(ApiId=api_id)["Items"]}
    wanted = {route.key: route for route in _routes(_processed_template(aws, stack_name))}
    for key in existing.keys() - wanted.keys():
        aws.apigatewayv2.delete_route(ApiId=api_id, RouteId=existing[key]["RouteId"])
    missing = [wanted[key] for key in sorted(wanted.keys() - existing.keys())]
    if not missing:
        return
    authorizer = _authorizer(aws, api_id, outputs)
    integrations: dict[str, str] = {}
    for route in missing:
        if route.function not in integrations:
            integrations[route.function] = _integration(aws, api_id, stack_name, route.function)
        security: dict[str, Any] = {"AuthorizationType": "JWT", "AuthorizerId": authorizer} if route.authorized else {}
        aws.apigatewayv2.create_route(
            ApiId=api_id, RouteKey=route.key, Target=f"integrations/{integrations[route.function]}", **security
        )


def _processed_template(aws: Aws, stack_name: str) -> dict[str, Any]:
    body: Any = aws.cloudformation.get_template(StackName=stack_name, TemplateStage="Processed")["TemplateBody"]
    template: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    return template


def _routes(template: dict[str, Any]) -> Iterator[_Route]:
    (api,) = [r for r in template["Resources"].values() if r["Type"] == "AWS::ApiGatewayV2::Api"]
    for path, methods in api["Properties"]["Body"]["paths"].items():
        for method, operation in methods.items():
            match = _FUNCTION.search(json.dumps(operation["x-amazon-apigateway-integration"]["uri"]))
            if match is None:
                raise ValueError(f"{method} {path} has no function")
            names = {name for requirement in operation.get("security", []) for name in requirement}
            yield _Route(f"{method.upper()} {path}", match[1], authorized=bool(names - {"NONE"}))


def _authorizer(aws: Aws, api_id: str, outputs: dict[str, str]) -> str:
    for authorizer in aws.apigatewayv2.get_authorizers(ApiId=api_id)["Items"]:
        return authorizer["AuthorizerId"]
    region = aws.apigatewayv2.meta.region_name
    return aws.apigatewayv2.create_authorizer(
        ApiId=api_id,
        AuthorizerType="JWT",
        Name="Jwt",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={
            "Issuer": f"https://cognito-idp.{region}.amazonaws.com/{outputs['UserPoolId']}",
            "Audience": [outputs["UserPoolClientId"]],
        },
    )["AuthorizerId"]


def _integration(aws: Aws, api_id: str, stack_name: str, logical_id: str) -> str:
    resource = aws.cloudformation.describe_stack_resource(StackName=stack_name, LogicalResourceId=logical_id)
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    arn = aws.lambda_.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    return aws.apigatewayv2.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationMethod="POST",
        IntegrationUri=arn,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
