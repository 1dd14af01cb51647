"""Checks answers against the API's description: status, content type and body."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
from requests import Response

from api_docs.document import PATH
from local.client import Client

DOCUMENT: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))


def checked(client: Client) -> Client:
    """Return the client; from now on it fails at every answer that the description does not allow."""
    client.session.hooks["response"].append(lambda answer, **_: check(client.api_url, answer))
    return client


def check(api_url: str, answer: Response) -> None:
    request = answer.request
    template = template_of(urlsplit(request.url).path.removeprefix(urlsplit(api_url).path))
    operation = DOCUMENT["paths"].get(template, {}).get(request.method.lower())
    if operation is None:
        return  # the API has no such route
    what = f"{request.method} {template} answered {answer.status_code}"
    content = content_of(operation["responses"].get(str(answer.status_code)), what)
    if not content:
        assert not answer.content, f"{what} with a body"
        return
    kind = answer.headers["Content-Type"].partition(";")[0]
    assert kind in content, f"{what} as {kind}"
    if kind == "application/json":
        wrong = [error.message for error in validator(json.dumps(content[kind]["schema"])).iter_errors(answer.json())]
        assert not wrong, f"{what}, which is not as described: {wrong} in {answer.text}"


def template_of(path: str) -> str | None:
    """Return the matching path with the fewest parameters."""
    matching = [known for known in DOCUMENT["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path)]
    return min(matching, key=lambda known: known.count("{"), default=None)


def content_of(response: dict[str, Any] | None, what: str) -> dict[str, Any]:
    assert response is not None, f"{what}, which is not described"
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return response.get("content", {})


@cache
def validator(schema: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(schema) | {"components": DOCUMENT["components"]})
