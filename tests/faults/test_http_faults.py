"""The real sender against partners that speak HTTP badly, with malice, or not for long."""

from __future__ import annotations

import gzip
import logging
import threading

import pytest

from ricochet.delivery.partners.partner import ContentType
from ricochet.delivery.request import compose
from ricochet.delivery.retry_schedule import MAX_RETRY_AFTER, RetrySchedule
from ricochet.http.outbound import Method, Outbound
from tests.faults.conftest import SECRET, click_result
from tests.faults.servers import PATIENCE, answer, answers, drips, floods, then_ends
from tests.unit.builders import NOON, a_delivery, a_notice, a_partner

SHORT = 0.5
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
def test_a_server_that_drips_is_cut_off(meet, serve, fault, authority, scheme, what, start, drop):
    partner = serve(drips(start, drop), tls=authority.context_for("127.0.0.1") if scheme == "https" else None)
    sent = meet(partner, scheme=scheme, total=SHORT, ca_file=authority.ca_file).send()
    assert sent.timed_out
    assert (sent.attempt.status_code, sent.attempt.error) == (None, f"no complete answer within {SHORT} s")
    assert partner.cut_off.wait(PATIENCE)
    fault(f"{what} drip, {scheme}", "byte by byte, for ever", click_result(sent))


def test_an_endless_body_is_read_no_further_than_it_is_worth(meet, serve, fault):
    partner = serve(floods(OK + b"\r\n", b"z" * 65536))
    sent = meet(partner).send()
    assert (sent.attempt.status_code, sent.attempt.reply) == (200, "z" * 1024)
    assert partner.cut_off.wait(PATIENCE)
    fault("endless body", "never stops talking", click_result(sent))


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
    sent = meet(partner).send()
    assert sent.attempt.status_code is None
    assert not sent.timed_out
    assert partner.cut_off.wait(PATIENCE)
    fault("endless head", what, click_result(sent))


def test_a_gzip_bomb_is_not_decompressed(meet, serve, fault):
    bomb = gzip.compress(bytes(50_000_000))[:60_000]
    partner = serve(answers(answer(body=bomb, content_encoding="gzip")))
    sent = meet(partner).send()
    assert sent.attempt.status_code == 200
    assert sent.attempt.reply.startswith("\x1f")
    assert b"accept-encoding: identity" in partner.requests[0].lower()
    fault("gzip bomb", "50 MB of zeros, compressed", f"{click_result(sent)}, kept as it came")


def test_a_200_after_the_deadline_is_a_failure_and_no_answer_to_the_next_request(meet, serve, fault):
    deadline_over = threading.Event()

    def answer_late(connection):
        connection.hear()
        deadline_over.wait(PATIENCE)
        connection.say(answer(body=b"late"))

    partner = serve(answer_late, answers(answer(body=b"prompt")))
    meeting = meet(partner, total=SHORT)
    late = meeting.send()
    deadline_over.set()
    prompt = meeting.send()
    assert (late.timed_out, late.attempt.status_code) == (True, None)
    assert prompt.attempt.reply == "prompt"
    fault("late 200", "answers after the deadline", click_result(late, prompt))


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(meet, serve, fault, status):
    elsewhere = serve(answers(answer()))
    locations = (METADATA, f"http://{elsewhere.host}/stolen")
    partner = serve(answers(*(answer(status, location=location) for location in locations)))
    meeting = meet(partner, elsewhere.host)
    sents = [meeting.send() for _ in locations]
    assert [sent.attempt.status_code for sent in sents] == [int(status[:3])] * 2
    assert elsewhere.connections == 0
    fault("redirect", f"{status[:3]} to the metadata address", f"{click_result(sents[0])}, not followed")


@pytest.mark.parametrize("status", [400, 401, 404, 408, 410, 425, 500, 502, 503])
def test_a_status_is_recorded_as_it_is(meet, serve, fault, status):
    sent = meet(serve(answers(answer(f"{status} Whatever", b"no")))).send()
    assert (sent.attempt.status_code, sent.attempt.reply, sent.attempt.error) == (status, "no", None)
    if status == 410:
        fault("gone", "410", click_result(sent))


@pytest.mark.parametrize(
    ("wish", "seconds"),
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
def test_a_retry_after_that_makes_no_sense_undoes_no_answer(meet, serve, fault, wish, seconds):
    sent = meet(serve(answers(answer("429 Too Many Requests", retry_after=wish)))).send()
    assert (sent.attempt.status_code, sent.retry_after) == (429, seconds)
    fault("429", f"Retry-After: {wish[:30]}", click_result(sent))


def test_a_retry_after_in_the_year_9999_is_a_wish_that_the_schedule_cuts(meet, serve, fault):
    wish = "Fri, 31 Dec 9999 23:59:59 GMT"
    sent = meet(serve(answers(answer("429 Too Many Requests", retry_after=wish)))).send()
    assert RetrySchedule((10,)).wait_after(1, 0, sent.retry_after) <= MAX_RETRY_AFTER * 1.1
    fault("429", f"Retry-After: {wish}", f"{click_result(sent)}, which the schedule cuts to six hours")


def test_a_partner_that_flaps_is_taken_at_its_word_each_time(meet, serve, fault):
    replies = [answer("200 OK"), answer("503 Busy"), answer("200 OK"), answer("500 Oops"), answer("204 Fine", b"")]
    meeting = meet(serve(answers(*replies)))
    sents = [meeting.send() for _ in replies]
    assert [sent.attempt.status_code for sent in sents] == [200, 503, 200, 500, 204]
    fault("flapping", "up, down, up, down", click_result(*sents))


def test_a_204_is_a_success_without_a_word_and_the_connection_is_kept(meet, serve, fault):
    partner = serve(answers(b"HTTP/1.1 204 No Content\r\n\r\n"))
    meeting = meet(partner)
    sents = [meeting.send(), meeting.send()]
    assert [(sent.attempt.status_code, sent.attempt.reply) for sent in sents] == [(204, "")] * 2
    assert partner.connections == 1
    fault("204", "no content", click_result(sents[0]))


def test_bytes_that_are_no_utf_8_are_shown_as_such(meet, serve, fault):
    sent = meet(serve(answers(answer(body=b"\xff\xfe caf\xe9 \x00")))).send()
    assert (sent.attempt.status_code, sent.attempt.reply) == (200, "\ufffd\ufffd caf\ufffd \x00")
    fault("invalid UTF-8", "Latin-1 and worse", f"{click_result(sent)}, with replacement characters")


@pytest.mark.parametrize("noise", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_news_before_the_answer_is_no_answer(meet, serve, fault, noise):
    news = f"HTTP/1.1 {noise}\r\nlink: </style.css>\r\n\r\n".encode()
    partner = serve(answers(news * 3 + answer(body=b"in the end")))
    meeting = meet(partner)
    sents = [meeting.send(), meeting.send()]
    assert [(sent.attempt.status_code, sent.attempt.reply) for sent in sents] == [(200, "in the end")] * 2
    assert partner.connections == 1
    fault("1xx noise", f"{noise}, three times", click_result(sents[0]))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nothing", b""),
        ("words", b"nonsense\r\n\r\n"),
        ("another protocol", b"SSH-2.0-OpenSSH_9.9\r\n"),
        ("binary", b"\x00\x01\x02\xff"),
        ("HTTP/2", b"HTTP/2 200\r\n\r\n"),
        ("status 999999", b"HTTP/1.1 999999 What\r\n\r\n"),
        ("less than its length", OK + b"content-length: 9\r\n\r\nx"),
        ("two lengths", OK + b"content-length: 1, 2\r\n\r\nx"),
        ("a chunk of no size", OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nx"),
    ],
)
def test_what_is_no_whole_answer_is_a_failure(meet, serve, fault, what, said):
    partner = serve(then_ends(said))
    sent = meet(partner).send()
    assert (sent.attempt.status_code, sent.timed_out) == (None, False)
    assert sent.attempt.error
    assert len(partner.requests) == 1
    fault("no answer", f"says {what} and hangs up", click_result(sent))


def test_headers_that_cannot_be_parsed_leave_no_secret_in_the_log(meet, serve, fault, caplog):
    caplog.set_level(logging.DEBUG)
    partner = serve(answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nthis is no header\r\n\r\nOK"))
    sent = meet(partner).send()
    assert sent.attempt.status_code == 200
    assert SECRET not in caplog.text
    fault("malformed header", "a line without a colon", click_result(sent))


def test_cookies_are_not_kept(meet, serve, fault):
    partner = serve(answers(answer(set_cookie="session=1; Path=/")))
    meeting = meet(partner)
    sents = [meeting.send(), meeting.send()]
    assert not any(b"cookie" in request.lower() for request in partner.requests)
    fault("cookies", "sets one", f"{click_result(*sents)}; it is not sent back")


def test_neither_proxies_nor_netrc_of_the_environment_are_used(meet, serve, fault, monkeypatch, tmp_path):
    proxy, partner = serve(answers(answer(body=b"proxy"))), serve(answers(answer(body=b"partner")))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{proxy.host}")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login us password ours")
    monkeypatch.setenv("NETRC", str(netrc))
    sent = meet(partner).send()
    assert sent.attempt.reply == "partner"
    assert proxy.connections == 0
    assert b"authorization" not in partner.requests[0].lower()
    fault("environment", "names a proxy and a netrc", f"{click_result(sent)}, from the partner itself")


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
        ("form of its own", "/pb", IN_A_FORM | {"body_template": "sub={sub1}"}),
        ("JSON", "/pb", IN_JSON),
        ("JSON of its own", "/pb", IN_JSON | {"body_template": '{"sub": "{sub1}"}'}),
    ],
)
def test_a_line_break_in_a_macros_value_never_reaches_the_wire(meet, serve, fault, where, path, fields):
    partner = serve(answers(answer()))
    told = a_partner(postback_url=f"http://{partner.host}{path}", **fields)
    sent = meet(partner).send_composed(compose(a_delivery(a_notice(**dict.fromkeys(TEXTS, EVIL))), told, NOON))
    assert sent.attempt.status_code == 200
    (request,) = partner.requests
    assert b"X-Evil" in request
    assert b"\nX-Evil" not in request
    fault("header injection", f"CR LF in a macro's value, in {where}", f"{click_result(sent)}, encoded")


@pytest.mark.parametrize("where", ["URL", "header", "header's name"])
def test_a_line_break_that_nobody_encoded_is_not_sent(meet, serve, fault, where):
    partner = serve(answers(answer()))
    url = f"http://{partner.host}/pb"
    outbound = {
        "URL": Outbound(Method.GET, f"{url}?a=1 HTTP/1.1\r\nX-Evil: yes\r\n"),
        "header": Outbound(Method.GET, url, {"x-click": EVIL}),
        "header's name": Outbound(Method.GET, url, {"x: 1\r\nX-Evil": "yes"}),
    }[where]
    sent = meet(partner).send_composed(outbound)
    assert not any(b"\nX-Evil" in request for request in partner.requests)
    fault("header injection", f"CR LF as it is, in the {where}", click_result(sent))
