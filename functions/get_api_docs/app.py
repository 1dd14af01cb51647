"""GET /openapi.json: the API's description for machines; GET /docs: the same for people."""

import base64
import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import resolver
from ricochet.telemetry import logger

HERE = Path(__file__).parent
SWAGGER_UI = resources.files("aws_lambda_powertools") / "event_handler" / "openapi" / "swagger_ui"
CACHE = {"Cache-Control": "public, max-age=300", "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}

app = resolver()


@app.get("/openapi.json", compress=True)
def get_document() -> Response[str]:
    return unless_known("application/json", read_document(), {})


@app.get("/docs", compress=True)
def get_page() -> Response[str]:
    page, policy = read_page()
    return unless_known("text/html; charset=utf-8", page, {"Content-Security-Policy": policy})


def unless_known(content_type: str, body: str, headers: dict[str, str]) -> Response[str]:
    """Return `body`, or 304 if the caller has it already."""
    tag = f'W/"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = CACHE | {"ETag": tag} | headers
    if tag in app.current_event.headers.get("if-none-match", ""):
        return Response(304, headers=headers)
    return Response(200, content_type, body, headers=headers)


@cache
def read_document() -> str:
    return (HERE / "openapi.json").read_text(encoding="utf-8")


@cache
def read_page() -> tuple[str, str]:
    """Return the page with Swagger UI inlined, and a policy that allows only its own scripts and the document."""
    bundle = (SWAGGER_UI / "swagger-ui-bundle.min.js").read_text(encoding="utf-8")
    start = (HERE / "start.js").read_text(encoding="utf-8")
    page = (HERE / "page.html").read_text(encoding="utf-8")
    page = page.replace("/* style */", (SWAGGER_UI / "swagger-ui.min.css").read_text(encoding="utf-8"))
    page = page.replace("/* bundle */", bundle).replace("/* start */", start)
    scripts = " ".join(f"'sha256-{digest(script)}'" for script in (bundle, start))
    return page, (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
