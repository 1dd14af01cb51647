"""The API description as it is served: as a JSON document, and as a self-contained page."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from functions.get_api_docs import app
from tests.unit.test_api import an_event

CONTEXT = SimpleNamespace(
    function_name="docs", function_version="1", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="1"
)
MAX_LAMBDA_ANSWER = 6 * 1024 * 1024


def get(path: str, **headers: str) -> dict:
    event = an_event(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return app.handler(event, CONTEXT)


def test_the_json_document_is_served_unchanged():
    reply = get("/openapi.json")
    assert (reply["statusCode"], reply["headers"]["Content-Type"]) == (200, "application/json")
    assert reply["body"] == (Path(app.__file__).parent / "openapi.json").read_text(encoding="utf-8")


def test_the_page_loads_nothing_except_the_document():
    page = get("/docs")["body"]
    assert "<title>Ricochet API</title>" in page
    assert 'url: "openapi.json"' in page
    assert re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?!data:)', page) == []
    assert "/* bundle */" not in page


def test_the_policy_allows_only_the_scripts_of_the_page():
    reply = get("/docs")
    scripts = re.findall(r"<script>(.*?)</script>", reply["body"], re.DOTALL)
    hashes = [f"sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}" for one in scripts]
    policy = dict(part.strip().split(" ", 1) for part in reply["headers"]["Content-Security-Policy"].split(";"))
    assert len(scripts) == 2
    assert policy["script-src"].split() == [f"'{one}'" for one in hashes]
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
class TestBoth:
    def test_a_known_etag_is_answered_with_304(self, path):
        first = get(path)
        again = get(path, if_none_match=first["headers"]["ETag"])
        assert (again["statusCode"], again["body"] or "") == (304, "")
        assert again["headers"]["ETag"] == first["headers"]["ETag"]
        assert get(path, if_none_match='W/"another"')["statusCode"] == 200

    def test_it_is_compressed_if_the_client_accepts_gzip(self, path):
        plain, packed = get(path), get(path, accept_encoding="gzip, br")
        assert packed["headers"]["Content-Encoding"] == "gzip"
        assert gzip.decompress(base64.b64decode(packed["body"])).decode() == plain["body"]
        assert "Content-Encoding" not in plain["headers"]
        assert plain["headers"]["Vary"] == "Accept-Encoding"

    def test_it_fits_into_a_lambda_response(self, path):
        assert len(json.dumps(get(path))) < MAX_LAMBDA_ANSWER
