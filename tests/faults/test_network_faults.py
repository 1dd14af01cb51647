"""The real sender over real sockets on loopback, where names, addresses and connections fail."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import certifi
import pytest
import requests

from ricochet.http.addresses import AllowedTargets
from ricochet.http.deadline import Exchange
from ricochet.http.guarded_pool import Guard, GuardedAdapter
from ricochet.http.outbound import Method
from ricochet.http.resolver import MAX_LOOKUPS, vetted_addresses
from tests.faults.conftest import click_result
from tests.faults.servers import (
    PATIENCE,
    Connection,
    answer,
    answers,
    blackhole,
    keeps_silent,
    says,
    then_ends,
)

SHORT = 0.5
NAME = "partner.test"
PUBLIC = "93.184.215.14"
HELLO = answer(body=b"hello")
ENDS = [("hangs up", Connection.hang_up), ("resets", Connection.reset)]


def leading_to(*addresses: str, then: tuple[str, ...] = ()):
    """A lookup that finds these for the partner's name, and from the second time on others."""
    rounds = [addresses]

    def lookup(host, port, **options):
        if host != NAME:
            return socket.getaddrinfo(host, port, **options)
        found = rounds[0]
        rounds[:] = [then or found]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return lookup


class HangingLookup:
    """Finds nothing for partners until `release` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self._waiting: list[str] = []

    @property
    def held(self) -> int:
        """How many threads it holds."""
        return len(self._waiting)

    def __call__(self, host, port, **options):
        if host.endswith(".test"):
            self._waiting.append(host)
            self.release.wait(PATIENCE)
            self._waiting.remove(host)
        return socket.getaddrinfo("127.0.0.1", port, **options)


@pytest.fixture
def hanging(_nothing_is_left_behind):
    lookup = HangingLookup()
    yield lookup
    lookup.release.set()


def answers_once_and_then(end):
    """Keeps the connection after its answer, but meets the next request with its end."""

    def script(connection):
        connection.hear()
        connection.say(HELLO)
        connection.hear()
        end(connection)

    return script


@pytest.mark.parametrize(
    ("what", "raised", "error"),
    [
        ("does not exist", socket.gaierror, "NameResolutionError: gaierror"),
        ("has a label that is too long", UnicodeError, "UnicodeError"),
        ("has no address", None, "NewConnectionError: OSError"),
    ],
)
def test_a_name_that_leads_nowhere_is_a_failure(meet, fault, what, raised, error):
    def lookup(host, port, **options):
        if host != NAME:
            return socket.getaddrinfo(host, port, **options)
        if raised:
            raise raised("not known")
        return []

    sent = meet(f"{NAME}:80", lookup=lookup).send()
    assert sent.attempt.error.endswith(error)
    assert not sent.timed_out
    fault("name not found", f"the host name {what}", click_result(sent))


def test_a_name_that_hangs_holds_an_exchange_until_its_deadline_and_one_thread_at_most(hanging, meet, fault):
    meeting = meet(f"{NAME}:80", lookup=hanging, total=0.4)
    sents = [meeting.send() for _ in range(3)]
    assert all(sent.timed_out for sent in sents)
    assert sents[0].attempt.error == "no complete answer within 0.4 s"
    assert hanging.held == 1
    fault("DNS hangs", "no answer to three lookups of one name", f"{click_result(sents[0])}; one thread waits")


def test_any_number_of_names_that_hang_holds_a_bounded_number_of_threads(meet, fault, hanging):
    names = [f"partner-{number}.test:80" for number in range(MAX_LOOKUPS + 8)]
    meeting = meet(*names, lookup=hanging, total=1)
    with ThreadPoolExecutor(len(names)) as pool:
        sents = list(pool.map(lambda name: meeting.send(url=f"http://{name}/pb"), names))
        assert hanging.held == MAX_LOOKUPS
    assert all(sent.timed_out for sent in sents)
    hanging.release.set()
    fault("DNS hangs for many", f"no answer to lookups of {len(names)} names", f"all timed out; {MAX_LOOKUPS} threads")


def test_a_name_that_leads_inside_by_the_time_of_the_send_is_refused(meet, serve, fault):
    inside = serve(answers(HELLO))
    lookup = leading_to(PUBLIC, then=("127.0.0.1",))
    assert vetted_addresses(NAME, inside.port, AllowedTargets(), lookup) == [PUBLIC]
    meeting = meet("127.0.0.1:1", lookup=lookup)
    sent = meeting.send(url=f"http://{NAME}:{inside.port}/pb")
    assert sent.attempt.error == f"{NAME} leads to 127.0.0.1:{inside.port}, which is not a public address"
    assert inside.connections == 0
    fault("rebinding", "public when it was saved, 127.0.0.1 when we connect", click_result(sent))


def test_a_name_that_leads_to_the_runtime_api_is_refused_whatever_is_allowed(meet, fault):
    meeting = meet(f"{NAME}:9001", "127.0.0.1:9001", lookup=leading_to("127.0.0.1"))
    sent = meeting.send()
    assert sent.attempt.error == f"{NAME} leads to 127.0.0.1:9001, which is not a public address"
    fault("rebinding to the runtime API", "the name leads to 127.0.0.1:9001, which is allowed", click_result(sent))


def test_a_connection_goes_to_the_address_that_was_vetted(meet, serve, fault):
    partner = serve(answers(HELLO))
    meeting = meet(f"{NAME}:{partner.port}", lookup=leading_to("127.0.0.1", then=("127.0.0.2",)))
    sent = meeting.send()
    assert (sent.attempt.status_code, sent.attempt.reply) == (200, "hello")
    fault("rebinding in between", "every lookup has another answer", f"{click_result(sent)}: there is one lookup only")


def test_one_private_address_among_public_ones_spoils_the_name(meet, fault):
    meeting = meet("127.0.0.1:1", lookup=leading_to(PUBLIC, "10.0.0.7"))
    sent = meeting.send(url=f"http://{NAME}/pb")
    assert sent.attempt.error == f"{NAME} leads to 10.0.0.7:80, which is not a public address"
    fault("mixed addresses", "the name has a public and a private address", click_result(sent))


def test_a_dead_first_address_leaves_the_second(meet, serve, fault):
    partner = serve(answers(HELLO))
    meeting = meet(f"{NAME}:{partner.port}", lookup=leading_to("127.0.0.9", "127.0.0.1"))
    sent = meeting.send()
    assert sent.attempt.reply == "hello"
    fault("dead first address", "the first of two addresses refuses", click_result(sent))


def test_a_silent_first_address_leaves_the_second_its_share_of_the_time(meet, serve, fault):
    partner = serve(answers(HELLO))
    with blackhole("127.0.0.9", partner.port):
        meeting = meet(f"{NAME}:{partner.port}", lookup=leading_to("127.0.0.9", "127.0.0.1"), connect=0.8)
        sent = meeting.send()
    assert sent.attempt.reply == "hello"
    fault("silent first address", "the first of two addresses never answers", click_result(sent))


def test_a_refused_connection_is_a_failure(meet, fault):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        sent = meet(f"127.0.0.1:{unheard.getsockname()[1]}").send()
    assert sent.attempt.error.endswith("NewConnectionError: ConnectionRefusedError")
    assert not sent.timed_out
    fault("connection refused", "nobody listens", click_result(sent))


def test_a_blackhole_costs_the_time_to_connect_and_no_more(meet, fault):
    with blackhole() as port:
        sent = meet(f"127.0.0.1:{port}", connect=0.5, total=PATIENCE).send()
    assert sent.timed_out
    assert sent.attempt.error == "no connection within 0.5 s"
    fault("blackhole", "packets are swallowed", click_result(sent))


@pytest.mark.parametrize(
    ("what", "pieces"),
    [
        ("before the answer", []),
        ("within the headers", [b"HTTP/1.1 200 OK\r\ncontent-le"]),
        ("within the body", [answer(body=b"x", length=100)]),
    ],
)
def test_a_reset_is_a_failure_and_nothing_is_sent_again(meet, serve, fault, what, pieces):
    partner = serve(then_ends(*pieces, by=Connection.reset))
    sent = meet(partner).send()
    assert sent.attempt.status_code is None
    assert "ConnectionResetError" in sent.attempt.error
    assert not sent.timed_out
    assert len(partner.requests) == 1
    fault(f"reset {what}", "RST", click_result(sent))


def test_the_right_certificate_is_accepted(meet, serve, authority):
    partner = serve(answers(HELLO), tls=authority.context_for(NAME))
    meeting = meet(f"{NAME}:{partner.port}", scheme="https", lookup=leading_to("127.0.0.1"), ca_file=authority.ca_file)
    assert [meeting.send().attempt.reply for _ in range(3)] == ["hello"] * 3
    assert partner.connections == 1


@pytest.mark.parametrize(
    ("what", "host", "self_signed"),
    [("vouches for itself", NAME, True), ("is for another host", "other.test", False)],
)
def test_a_wrong_certificate_ends_it_before_anything_is_said(meet, serve, fault, authority, what, host, self_signed):
    partner = serve(answers(HELLO), tls=authority.context_for(host, self_signed=self_signed))
    meeting = meet(f"{NAME}:{partner.port}", scheme="https", lookup=leading_to("127.0.0.1"), ca_file=authority.ca_file)
    sent = meeting.send()
    assert sent.attempt.error.endswith("SSLCertVerificationError")
    assert not sent.timed_out
    assert partner.cut_off.wait(PATIENCE)
    assert partner.requests == []
    fault("wrong certificate", f"it {what}", click_result(sent))


def test_a_certificate_of_an_authority_that_nobody_trusts_is_refused(meet, serve, fault, authority):
    partner = serve(answers(HELLO), tls=authority.context_for(NAME))
    sent = meet(f"{NAME}:{partner.port}", scheme="https", lookup=leading_to("127.0.0.1")).send()
    assert sent.attempt.error.endswith("SSLCertVerificationError")
    assert partner.cut_off.wait(PATIENCE)
    fault("wrong certificate", "it is from an unknown authority", click_result(sent))


def test_a_server_that_stalls_in_tls_is_cut_off(meet, serve, fault):
    partner = serve(keeps_silent)
    sent = meet(partner, scheme="https", total=SHORT).send()
    assert sent.timed_out
    assert sent.attempt.error == f"no complete answer within {SHORT} s"
    assert partner.cut_off.wait(PATIENCE)
    fault("TLS stall", "the ClientHello is never answered", click_result(sent))


def test_a_handshake_that_drips_is_cut_off(meet, serve, fault):
    def drip_a_server_hello(connection):
        connection.say(b"\x16\x03\x03\x40\x00")  # the head of a handshake record of 16 KiB
        connection.drip(b"\x00")

    partner = serve(drip_a_server_hello)
    sent = meet(partner, scheme="https", total=SHORT).send()
    assert sent.timed_out
    assert partner.cut_off.wait(PATIENCE)
    fault("TLS drip", "the handshake comes byte by byte", click_result(sent))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_hardly_reads_is_given_up(meet, serve, fault, authority, scheme):
    body, given_up, took_it_all = bytes(32_000_000), threading.Event(), threading.Event()

    def sip_until_given_up(connection):
        taken = 0
        while taken < len(body) and not given_up.is_set():
            taken += connection.sip()
        if taken >= len(body):
            took_it_all.set()
        connection.wait_until_they_hang_up()

    partner = serve(sip_until_given_up, tls=authority.context_for(NAME) if scheme == "https" else None)
    trust = {"lookup": leading_to("127.0.0.1"), "ca_file": authority.ca_file}
    sent = meet(f"{NAME}:{partner.port}", scheme=scheme, total=SHORT, **trust).send(Method.POST, body=body)
    assert not took_it_all.is_set()
    given_up.set()
    assert sent.timed_out
    assert partner.cut_off.wait(PATIENCE)
    fault("slow reader", f"takes 32 MB sip by sip, {scheme}", click_result(sent))


def test_what_is_no_tls_is_a_failure(meet, serve, fault):
    def answer_in_plain_text(connection):
        connection.say(answer("400 Bad Request"))
        connection.wait_until_they_hang_up()

    partner = serve(answer_in_plain_text)
    sent = meet(partner, scheme="https").send()
    assert "SSLError" in sent.attempt.error
    fault("no TLS", "plain HTTP on the port of https", click_result(sent))


def test_a_kept_connection_whose_end_is_known_is_not_used_again(meet, serve, fault):
    ended = threading.Event()

    def answer_once(connection):
        connection.hear()
        connection.say(HELLO)
        connection.hang_up()
        ended.set()

    partner = serve(answer_once, answers(HELLO))
    meeting = meet(partner)
    first = meeting.send()
    assert ended.wait(PATIENCE)
    second = meeting.send()
    assert [first.attempt.reply, second.attempt.reply] == ["hello", "hello"]
    assert (partner.connections, len(partner.requests)) == (2, 2)
    fault("half-closed keep-alive", "hangs up after its answer", click_result(first, second))


@pytest.mark.parametrize(("what", "by"), ENDS)
@pytest.mark.parametrize("method", Method)
def test_a_kept_connection_that_dies_under_a_request_is_replaced_once(meet, serve, fault, what, by, method):
    partner = serve(answers_once_and_then(by), answers(HELLO))
    meeting = meet(partner)
    body = {"body": b'{"a": 1}'} if method is Method.POST else {}
    sents = [meeting.send(method, **body) for _ in range(2)]
    assert [sent.attempt.reply for sent in sents] == ["hello", "hello"]
    assert partner.connections == 2
    assert partner.requests[1] == partner.requests[2]
    fault(f"keep-alive race, {method}", f"{what} at the second request", click_result(*sents))


def test_an_exchange_that_has_met_a_dead_connection_takes_no_other_kept_one(serve):
    partner = serve(answers(HELLO))
    adapter = GuardedAdapter(Guard(AllowedTargets.parse(partner.host), socket.getaddrinfo, 1, certifi.where()))
    request = requests.Request("GET", f"http://{partner.host}/").prepare()
    for takes_kept, connections in ((True, 1), (True, 1), (False, 2)):
        with Exchange(5, 65_536) as exchange:
            exchange.takes_kept_connections = takes_kept
            assert adapter.send(request).content == b"hello"
            assert partner.connections == connections


def test_a_fresh_connection_that_dies_as_well_is_the_end_of_it(meet, serve, fault):
    partner = serve(answers_once_and_then(Connection.hang_up), then_ends())
    meeting = meet(partner)
    sents = [meeting.send(), meeting.send()]
    assert sents[1].attempt.error.endswith("RemoteDisconnected")
    assert len(partner.requests) == 3
    fault("keep-alive, dead for good", "hangs up on the fresh connection, too", click_result(*sents))


@pytest.mark.parametrize(("what", "by"), ENDS)
def test_a_kept_connection_that_dies_within_its_answer_is_not_replaced(meet, serve, fault, what, by):
    def begin_to_answer(connection):
        connection.say(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n")
        by(connection)

    partner = serve(answers_once_and_then(begin_to_answer), answers(HELLO))
    meeting = meet(partner)
    sents = [meeting.send(), meeting.send()]
    assert sents[1].attempt.status_code is None
    assert len(partner.requests) == 2
    fault("keep-alive, half an answer", f"{what} within its second answer", click_result(*sents))


def test_a_kept_connection_that_falls_silent_is_given_up_and_the_next_is_fresh(meet, serve, fault):
    partner = serve(says(HELLO), answers(HELLO))
    meeting = meet(partner, total=SHORT)
    sents = [meeting.send() for _ in range(3)]
    assert [sent.timed_out for sent in sents] == [False, True, False]
    assert partner.connections == 2
    fault("silent keep-alive", "forgets a kept connection without a word", click_result(*sents))
