"""The code in docs/partners.md that verifies our signatures, as printed there, against our requests."""

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ricochet.delivery.partners.partner import ContentType
from ricochet.delivery.request import compose
from ricochet.http.outbound import Method
from ricochet.values import times
from ricochet.values.signing import new_secret
from tests.unit.builders import SECRET, a_delivery, a_notice, a_partner

TEXT = (Path(__file__).parents[3] / "docs" / "partners.md").read_text(encoding="utf-8")
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
ASK_NODE = """
const { secret, headers, payload } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(isOurs(secret, headers, Buffer.from(payload, "base64"))));
"""


def printed(language: str) -> str:
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    return code


def python_says(secret: str, headers: dict[str, str], payload: bytes) -> bool:
    names: dict = {}
    exec(compile(printed("python"), "docs/partners.md", "exec"), names)
    return names["is_ours"](secret, headers, payload)


def node_says(secret: str, headers: dict[str, str], payload: bytes) -> bool:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node here to run what is documented for it")
    asked = json.dumps({"secret": secret, "headers": headers, "payload": base64.b64encode(payload).decode()})
    program = [node, "-e", printed("js") + ASK_NODE]
    return json.loads(subprocess.run(program, input=asked.encode(), capture_output=True, check=True, timeout=60).stdout)


@pytest.fixture(params=[python_says, node_says], ids=["python", "node"])
def says(request):
    return request.param


def request_of_ours(*, seconds_ago: float = 0, **partner) -> tuple[dict[str, str], bytes]:
    """Headers and payload as a partner's server has them."""
    notice = a_notice(sub1="\u00e9 &\U0001f600", transaction_id='"T"')
    outbound = compose(a_delivery(notice), a_partner(**partner), times.plus(times.now(), seconds=-seconds_ago))
    parts = urlsplit(outbound.url)
    return outbound.headers, outbound.body if outbound.body is not None else f"{parts.path}?{parts.query}".encode()


@pytest.mark.parametrize(
    "partner",
    [
        {"postback_url": "https://p.example/cb/{sub1}?id={click_id}&s={status}&t={sub1}"},
        {"method": Method.POST},
        {"method": Method.POST, "content_type": ContentType.FORM},
        {"method": Method.POST, "body_template": '"\u00e9{sub1}"'},
    ],
)
@pytest.mark.parametrize("seconds_ago", [0, 240, -240])
def test_our_signature_is_verified(says, partner, seconds_ago):
    assert says(SECRET, *request_of_ours(seconds_ago=seconds_ago, **partner)) is True


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_both_secrets_verify_during_a_rotation(says, secret):
    until = times.plus(times.now(), hours=1)
    headers, payload = request_of_ours(signing_secret=OTHER, previous_secret=SECRET, previous_secret_until=until)
    assert says(secret, headers, payload) is True
    assert says(new_secret(), headers, payload) is False


def test_signatures_of_future_versions_are_ignored(says):
    headers, payload = request_of_ours()
    headers["webhook-signature"] = f"v2,AAAA v1a,BBBB {headers['webhook-signature']} v3"
    assert says(SECRET, headers, payload) is True


@pytest.mark.parametrize("seconds_ago", [600, -600])
def test_old_and_future_requests_are_refused(says, seconds_ago):
    assert says(SECRET, *request_of_ours(seconds_ago=seconds_ago)) is False


@pytest.mark.parametrize("change", [lambda payload: payload + b"&", lambda payload: payload[:-1], lambda payload: b""])
@pytest.mark.parametrize("method", Method)
def test_changed_payload_is_refused(says, method, change):
    headers, payload = request_of_ours(method=method)
    assert says(SECRET, headers, change(payload)) is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "dlv_2"),
        *(("webhook-timestamp", value) for value in ("", "soon", "NaN", "1e9", "-1", "9" * 20, "\u0661" * 10)),
        *(("webhook-signature", value) for value in ("", " ", "v1", "v1,", ",", "v1,AAAA", "v1,\u00e9", "v1,===")),
    ],
)
def test_changed_headers_are_refused(says, name, value):
    headers, payload = request_of_ours()
    assert says(SECRET, headers | {name: value}, payload) is False


@pytest.mark.parametrize(
    "change",
    [
        lambda right: right.removeprefix("v1,"),
        lambda right: right.replace("v1,", "v2,"),
        lambda right: right[:-1],
        lambda right: right + "A",
        lambda right: right.lower(),
    ],
)
def test_changed_signature_is_refused(says, change):
    headers, payload = request_of_ours()
    assert says(SECRET, headers | {"webhook-signature": change(headers["webhook-signature"])}, payload) is False


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_request_without_a_header_is_refused(says, name):
    headers, payload = request_of_ours()
    del headers[name]
    assert says(SECRET, headers, payload) is False
