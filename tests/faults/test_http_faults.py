"""The real sender against partners whose HTTP is wrong, malicious or incomplete."""

from __future__ import annotations

import gzip
import logging
import threading

import pytest

from ricochet.delivery.partners.partner import ContentType
from ricochet.delivery.request import compose
from ricochet.delivery.retry_schedule import MAX_RETRY_AFTER, RetrySchedule
from ricochet.http.outbound import Method, Outbound
from tests.faults.conftest import SECRET, result_of
from tests.faults.servers import answer, answers, drips, floods, then_ends
from tests.unit.builders import NOON, a_delivery, a_notice, a_partner
from tests.waiting import PATIENCE

SHORT = 0.5
"""Seconds of a deadline that is meant to pass."""

LONG = 3.0
"""Seconds of a deadline that one exchange misses and another one meets, even on a busy machine."""

OK = b"HTTP/1.1 200 OK\r\n"
METADATA = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"


DRIPPING = [
    ("status line", b"HTTP/1.1 200 ", b"O"),
    ("headers", OK, b"x"),
    ("body", answer(body=b"", length=10_000), b"x"),
    ("chunks", OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("what", "start", "drop"), DRIPPING, ids=[what for what, *_ in DRIPPING])
def test_a_server_that_sends_byte_by_byte_is_cut_off(meet, serve, fault, authority, scheme, what, start, drop):
    partner = serve(drips(start, drop), tls=authority.context_for("127.0.0.1") if scheme == "https" else None)
    result = meet(partner, scheme=scheme, total=SHORT, ca_file=authority.ca_file).send()
    assert result.timed_out
    assert (result.attempt.status_code, result.attempt.error) == (None, f"no complete answer within {SHORT} s")
    assert partner.cut_off.wait(PATIENCE)
    fault(f"slow {what}, {scheme}", "sent byte by byte, for ever", result_of(result))


def test_an_endless_body_is_read_only_up_to_the_limit(meet, serve, fault):
    partner = serve(floods(OK + b"\r\n", b"z" * 65536))
    result = meet(partner).send()
    assert (result.attempt.status_code, result.attempt.reply) == (200, "z" * 1024)
    assert partner.cut_off.wait(PATIENCE)
    fault("endless body", "never ends", result_of(result))


@pytest.mark.parametrize(
    ("what", "start", "more"),
    [
        ("one endless header", OK + b"x: ", b"y" * 4096),
        ("endless 100 Continue", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        ("endless 102 Processing", b"", b"HTTP/1.1 102 Processing\r\nx: y\r\n\r\n" * 100),
    ],
)
def test_an_endless_head_is_a_failure(meet, serve, fault, what, start, more):
    partner = serve(floods(start, more))
    result = meet(partner).send()
    assert result.attempt.status_code is None
    assert not result.timed_out
    assert partner.cut_off.wait(PATIENCE)
    fault("endless head", what, result_of(result))


def test_a_gzip_bomb_is_not_decompressed(meet, serve, fault):
    bomb = gzip.compress(bytes(50_000_000))[:60_000]
    partner = serve(answers(answer(body=bomb, content_encoding="gzip")))
    result = meet(partner).send()
    assert result.attempt.status_code == 200
    assert result.attempt.reply.startswith("\x1f")
    assert b"accept-encoding: identity" in partner.requests[0].lower()
    fault("gzip bomb", "50 MB of zeros, compressed", f"{result_of(result)}, kept as received")


def test_a_200_after_the_deadline_is_a_failure_and_does_not_answer_the_next_request(meet, serve, fault):
    deadline_over = threading.Event()

    def answer_late(connection):
        connection.receive()
        deadline_over.wait(PATIENCE)
        connection.send(answer(body=b"late"))

    partner = serve(answer_late, answers(answer(body=b"prompt")))
    meeting = meet(partner, total=LONG)
    late = meeting.send()
    deadline_over.set()
    prompt = meeting.send()
    assert (late.timed_out, late.attempt.status_code) == (True, None)
    assert prompt.attempt.reply == "prompt"
    fault("late 200", "answers after the deadline", result_of(late, prompt))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(meet, serve, fault, status):
    elsewhere = serve(answers(answer()))
    locations = (METADATA, f"http://{elsewhere.host}/stolen")
    partner = serve(answers(*(answer(status, location=location) for location in locations)))
    meeting = meet(partner, elsewhere.host)
    results = [meeting.send() for _ in locations]
    assert [result.attempt.status_code for result in results] == [int(status[:3])] * 2
    assert elsewhere.connections == 0
    fault("redirect", f"{status[:3]} to the metadata address", f"{result_of(results[0])}, not followed")


@pytest.mark.parametrize("status", [400, 401, 404, 408, 410, 425, 500, 502, 503])
def test_the_status_code_is_recorded(meet, serve, fault, status):
    result = meet(serve(answers(answer(f"{status} Whatever", b"no")))).send()
    assert (result.attempt.status_code, result.attempt.reply, result.attempt.error) == (status, "no", None)
    if status == 410:
        fault("gone", "410", result_of(result))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("-5", None),
        ("9" * 40, 999_999_999),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("\u00b2", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2035 00:00:00 +99999999999999", None),
    ],
)
def test_an_invalid_retry_after_is_ignored(meet, serve, fault, header, seconds):
    result = meet(serve(answers(answer("429 Too Many Requests", retry_after=header)))).send()
    assert (result.attempt.status_code, result.retry_after) == (429, seconds)
    fault("429", f"Retry-After: {header[:30]}", result_of(result))


def test_a_retry_after_in_the_year_9999_is_capped_by_the_schedule(meet, serve, fault):
    header = "Fri, 31 Dec 9999 23:59:59 GMT"
    result = meet(serve(answers(answer("429 Too Many Requests", retry_after=header)))).send()
    assert RetrySchedule((10,)).delay_after(1, 0, result.retry_after) <= MAX_RETRY_AFTER * 1.1
    fault("429", f"Retry-After: {header}", f"{result_of(result)}, capped at six hours by the schedule")


def test_every_answer_of_a_flapping_partner_is_recorded(meet, serve, fault):
    replies = [answer("200 OK"), answer("503 Busy"), answer("200 OK"), answer("500 Oops"), answer("204 Fine", b"")]
    meeting = meet(serve(answers(*replies)))
    results = [meeting.send() for _ in replies]
    assert [result.attempt.status_code for result in results] == [200, 503, 200, 500, 204]
    fault("flapping", "up, down, up, down", result_of(*results))


def test_a_204_is_a_success_and_its_connection_is_reused(meet, serve, fault):
    partner = serve(answers(b"HTTP/1.1 204 No Content\r\n\r\n"))
    meeting = meet(partner)
    results = [meeting.send(), meeting.send()]
    assert [(result.attempt.status_code, result.attempt.reply) for result in results] == [(204, "")] * 2
    assert partner.connections == 1
    fault("204", "no content", result_of(results[0]))


def test_invalid_utf_8_is_shown_with_replacement_characters(meet, serve, fault):
    result = meet(serve(answers(answer(body=b"\xff\xfe caf\xe9 \x00")))).send()
    assert (result.attempt.status_code, result.attempt.reply) == (200, "\ufffd\ufffd caf\ufffd \x00")
    fault("invalid UTF-8", "Latin-1 and worse", f"{result_of(result)}, with replacement characters")


@pytest.mark.parametrize("noise", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_an_informational_response_is_not_the_answer(meet, serve, fault, noise):
    news = f"HTTP/1.1 {noise}\r\nlink: </style.css>\r\n\r\n".encode()
    partner = serve(answers(news * 3 + answer(body=b"in the end")))
    meeting = meet(partner)
    results = [meeting.send(), meeting.send()]
    assert [(result.attempt.status_code, result.attempt.reply) for result in results] == [(200, "in the end")] * 2
    assert partner.connections == 1
    fault("1xx noise", f"{noise}, three times", result_of(results[0]))


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing", b""),
        ("text", b"nonsense\r\n\r\n"),
        ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n"),
        ("binary", b"\x00\x01\x02\xff"),
        ("HTTP/2", b"HTTP/2 200\r\n\r\n"),
        ("status 999999", b"HTTP/1.1 999999 What\r\n\r\n"),
        ("less than its length", OK + b"content-length: 9\r\n\r\nx"),
        ("two lengths", OK + b"content-length: 1, 2\r\n\r\nx"),
        ("a chunk without a size", OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nx"),
    ],
)
def test_an_incomplete_answer_is_a_failure(meet, serve, fault, what, data):
    partner = serve(then_ends(data))
    result = meet(partner).send()
    assert (result.attempt.status_code, result.timed_out) == (None, False)
    assert result.attempt.error
    assert len(partner.requests) == 1
    fault("no answer", f"sends {what} and closes", result_of(result))


def test_unparsable_headers_leave_no_secret_in_the_log(meet, serve, fault, caplog):
    caplog.set_level(logging.DEBUG)
    partner = serve(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nthis is no header\r\n\r\nOK"))
    result = meet(partner).send()
    assert result.attempt.status_code == 200
    assert SECRET not in caplog.text
    fault("malformed header", "a line without a colon", result_of(result))


def test_cookies_are_not_kept(meet, serve, fault):
    partner = serve(answers(answer(set_cookie="session=1; Path=/")))
    meeting = meet(partner)
    results = [meeting.send(), meeting.send()]
    assert not any(b"cookie" in request.lower() for request in partner.requests)
    fault("cookies", "sets a cookie", f"{result_of(*results)}; it is not sent back")


def test_proxies_and_netrc_of_the_environment_are_ignored(meet, serve, fault, monkeypatch, tmp_path):
    proxy, partner = serve(answers(answer(body=b"proxy"))), serve(answers(answer(body=b"partner")))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{proxy.host}")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login us password ours")
    monkeypatch.setenv("NETRC", str(netrc))
    result = meet(partner).send()
    assert result.attempt.reply == "partner"
    assert proxy.connections == 0
    assert b"authorization" not in partner.requests[0].lower()
    fault("environment", "names a proxy and a netrc", f"{result_of(result)}, from the partner itself")


EVIL = "1\r\nX-Evil: yes\r\n\r\nGET /evil HTTP/1.1\r\n"
TEXTS = ("subid", "sub1", "sub5", "offer_id", "transaction_id", "user_id", "event", "domain", "px", "ip")
IN_A_FORM = {"method": Method.POST, "content_type": ContentType.FORM}
IN_JSON = {"method": Method.POST, "content_type": ContentType.JSON}


@pytest.mark.parametrize(
    ("where", "path", "fields"),
    [
        ("path", "/{sub1}/pb", {}),
        ("query", "/pb?sub={sub1}", {}),
        ("form", "/pb", IN_A_FORM),
        ("form template", "/pb", IN_A_FORM | {"body_template": "sub={sub1}"}),
        ("JSON", "/pb", IN_JSON),
        ("JSON template", "/pb", IN_JSON | {"body_template": '{"sub": "{sub1}"}'}),
    ],
)
def test_a_line_break_in_a_macro_value_is_encoded(meet, serve, fault, where, path, fields):
    partner = serve(answers(answer()))
    recipient = a_partner(postback_url=f"http://{partner.host}{path}", **fields)
    result = meet(partner).send_composed(compose(a_delivery(a_notice(**dict.fromkeys(TEXTS, EVIL))), recipient, NOON))
    assert result.attempt.status_code == 200
    (request,) = partner.requests
    assert b"X-Evil" in request
    assert b"\nX-Evil" not in request
    fault("header injection", f"CR LF in a macro's value, in {where}", f"{result_of(result)}, encoded")


@pytest.mark.parametrize("where", ["URL", "header", "header's name"])
def test_an_unencoded_line_break_is_not_sent(meet, serve, fault, where):
    partner = serve(answers(answer()))
    url = f"http://{partner.host}/pb"
    outbound = {
        "URL": Outbound(Method.GET, f"{url}?a=1 HTTP/1.1\r\nX-Evil: yes\r\n"),
        "header": Outbound(Method.GET, url, {"x-click": EVIL}),
        "header's name": Outbound(Method.GET, url, {"x: 1\r\nX-Evil": "yes"}),
    }[where]
    result = meet(partner).send_composed(outbound)
    assert not any(b"\nX-Evil" in request for request in partner.requests)
    fault("header injection", f"CR LF unencoded in the {where}", result_of(result))
