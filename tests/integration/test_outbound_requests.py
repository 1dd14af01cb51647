"""The requests that a partner's server really receives, and addresses that are never requested."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook

from ricochet.delivery.partners.partner import ContentType
from ricochet.delivery.request import compose
from ricochet.errors import CompositionError
from ricochet.http.addresses import AllowedTargets
from ricochet.http.client import Limits, Sender
from ricochet.http.outbound import Method
from ricochet.values import times
from ricochet.values.signing import new_secret
from tests.unit.builders import a_delivery, a_notice, a_partner
from tests.unit.hosts import FOLDED, INSIDE_IN_ANY_NOTATION

LIMITS = Limits(connect=2, total=10)


class RawServer(ThreadingHTTPServer):
    """Records the signed part of each request exactly as received: the body, or the target of the first line."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.signed: list[tuple[dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: RawServer

    def do_GET(self) -> None:
        self._answer(self.requestline.split(" ")[1].encode("latin-1"))

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, payload: bytes) -> None:
        self.server.signed.append(({name.lower(): value for name, value in self.headers.items()}, payload))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def sender(server: RawServer) -> Sender:
    return Sender(AllowedTargets.parse(f"127.0.0.1:{server.server_port}"), LIMITS)


NASTY = "\r\nx-evil: 1\r\n\r\n \"'%&+#?/\\{}<>|^`\u00e9\u4e2d\U0001f600\x00%0d%0a"
POSTED = [
    {"method": Method.POST},
    {"method": Method.POST, "content_type": ContentType.FORM},
    {"method": Method.POST, "body_template": '{"é": "{sub1}", "p": {payout}}'},
    {"method": Method.POST, "content_type": ContentType.FORM, "body_template": "é={sub1}&t={transaction_id}"},
]
TARGETS = [
    *("", "?", "/", "/?", "?x=1", "//", "//cb", "/a//b/", "/cb?a={sub1}", "/{sub1}/b?c={transaction_id}#part", "/#?a"),
    *(
        "/%e9/%7ea?b=%7e%41%2e",
        "/100%?x=%&y=%zz",
        "/a[1]?sub[]=1",
        "/cb?x=a|b^c",
        "/\u00e9?x=\u00e9 ",
        "/a;b=1,c?d=?&&=",
    ),
    *("/*", "/a:b@c?d=e:f@g", "/a..b/.c/...", "/cb?a='\"`<>\\", "/%25%32%65/%2F", "/cb?+a=+%20"),
]


@pytest.mark.parametrize("partner", [*({"path": target} for target in TARGETS), *POSTED])
def test_both_signatures_match_the_received_request(server, sender, partner):
    new, old = new_secret(), new_secret()
    moment = times.now()
    partner = dict(partner)
    url = f"http://127.0.0.1:{server.server_port}{partner.pop('path', '/cb?a={sub1}')}"
    rotating = {"signing_secret": new, "previous_secret": old, "previous_secret_until": times.plus(moment, hours=1)}
    notice = a_notice(sub1=NASTY, transaction_id=NASTY)
    outbound = compose(a_delivery(notice), a_partner(postback_url=url, **partner, **rotating), moment)
    assert sender.send(outbound).attempt.status_code == 204
    headers, payload = server.signed[-1]
    for secret in (new, old):
        Webhook(secret).verify(payload, headers, json_parse=False)
    ours = {"user-agent", "accept", "webhook-id", "webhook-timestamp", "webhook-signature"}
    body = {"content-type", "content-length"} if partner else set()
    assert set(headers) - ours - body <= {"host", "accept-encoding", "connection"}


@pytest.mark.parametrize("host", [host for host in INSIDE_IN_ANY_NOTATION if not host.endswith(".")])
def test_a_private_address_in_any_notation_is_refused(host):
    """All of these are numbers, which are resolved without DNS."""
    outbound = compose(a_delivery(), a_partner(postback_url=f"http://{host}/cb"), times.now())
    attempt = Sender(AllowedTargets(), LIMITS).send(outbound).attempt
    assert attempt.status_code is None
    assert attempt.error.endswith("which is not a public address")


@pytest.mark.parametrize("host", FOLDED)
def test_a_host_that_normalises_to_an_address_is_refused(host):
    try:
        outbound = compose(a_delivery(), a_partner(postback_url=f"http://{host}/cb"), times.now())
    except CompositionError:
        return
    attempt = Sender(AllowedTargets(), LIMITS).send(outbound).attempt
    assert attempt.status_code is None
    assert attempt.error.endswith("which is not a public address")
