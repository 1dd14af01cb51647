"""The real sender over real sockets on loopback, with failing names, addresses and connections."""

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
from tests.faults.conftest import result_of
from tests.faults.servers import (
    Connection,
    answer,
    answers,
    answers_once,
    blackhole,
    keeps_silent,
    then_ends,
)
from tests.waiting import PATIENCE

SHORT = 0.5
"""Seconds of a deadline that is meant to pass."""

LONG = 3.0
"""Seconds of a deadline that one exchange misses and another one meets, even on a busy machine."""

NAME = "partner.test"
PUBLIC = "93.184.215.14"
HELLO = answer(body=b"hello")
ENDS = [("closes", Connection.close_properly), ("resets", Connection.reset)]


def resolving_to(*addresses: str, then: tuple[str, ...] = ()):
    """Return a lookup that finds these addresses for the partner's name, and others from the second time on."""
    rounds = [addresses]

    def lookup(host, port, **options):
        if host != NAME:
            return socket.getaddrinfo(host, port, **options)
        found = rounds[0]
        rounds[:] = [then or found]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return lookup


class HangingLookup:
    """A lookup that hangs for partners until `release` is set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self._waiting: list[str] = []

    @property
    def held(self) -> int:
        """Return how many threads it holds."""
        return len(self._waiting)

    def __call__(self, host, port, **options):
        if host.endswith(".test"):
            self._waiting.append(host)
            self.release.wait(PATIENCE)
            self._waiting.remove(host)
        return socket.getaddrinfo("127.0.0.1", port, **options)


@pytest.fixture
def hanging(_no_leaks):
    lookup = HangingLookup()
    yield lookup
    lookup.release.set()


def answers_once_then(end):
    """Return a script that answers one request and ends the connection at the next."""

    def script(connection):
        connection.receive()
        connection.send(HELLO)
        connection.receive()
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
def test_an_unknown_host_name_is_a_failure(meet, fault, what, raised, error):
    def lookup(host, port, **options):
        if host != NAME:
            return socket.getaddrinfo(host, port, **options)
        if raised:
            raise raised("not known")
        return []

    result = meet(f"{NAME}:80", lookup=lookup).send()
    assert result.attempt.error.endswith(error)
    assert not result.timed_out
    fault("name not found", f"the host name {what}", result_of(result))


def test_a_hanging_lookup_ends_at_the_deadline_and_holds_one_thread(hanging, meet, fault):
    meeting = meet(f"{NAME}:80", lookup=hanging, total=SHORT)
    results = [meeting.send() for _ in range(3)]
    assert all(result.timed_out for result in results)
    assert results[0].attempt.error == f"no complete answer within {SHORT} s"
    assert hanging.held == 1
    fault("DNS hangs", "no answer to three lookups of one name", f"{result_of(results[0])}; one thread waits")


def test_many_hanging_lookups_hold_a_bounded_number_of_threads(meet, fault, hanging):
    names = [f"partner-{number}.test:80" for number in range(MAX_LOOKUPS + 8)]
    meeting = meet(*names, lookup=hanging, total=1)
    with ThreadPoolExecutor(len(names)) as pool:
        results = list(pool.map(lambda name: meeting.send(url=f"http://{name}/pb"), names))
        assert hanging.held == MAX_LOOKUPS
    assert all(result.timed_out for result in results)
    hanging.release.set()
    fault("DNS hangs for many", f"no answer to lookups of {len(names)} names", f"all timed out; {MAX_LOOKUPS} threads")


def test_a_name_that_resolves_to_a_private_address_when_sending_is_refused(meet, serve, fault):
    inside = serve(answers(HELLO))
    lookup = resolving_to(PUBLIC, then=("127.0.0.1",))
    assert vetted_addresses(NAME, inside.port, AllowedTargets(), lookup) == [PUBLIC]
    meeting = meet("127.0.0.1:1", lookup=lookup)
    result = meeting.send(url=f"http://{NAME}:{inside.port}/pb")
    assert result.attempt.error == f"{NAME} leads to 127.0.0.1:{inside.port}, which is not a public address"
    assert inside.connections == 0
    fault("rebinding", "public when saved, 127.0.0.1 when we connect", result_of(result))


def test_a_name_that_resolves_to_the_runtime_api_is_always_refused(meet, fault):
    meeting = meet(f"{NAME}:9001", "127.0.0.1:9001", lookup=resolving_to("127.0.0.1"))
    result = meeting.send()
    assert result.attempt.error == f"{NAME} leads to 127.0.0.1:9001, which is not a public address"
    fault("rebinding to the runtime API", "the name resolves to 127.0.0.1:9001, which is allowed", result_of(result))


def test_a_connection_goes_to_the_vetted_address(meet, serve, fault):
    partner = serve(answers(HELLO))
    meeting = meet(f"{NAME}:{partner.port}", lookup=resolving_to("127.0.0.1", then=("127.0.0.2",)))
    result = meeting.send()
    assert (result.attempt.status_code, result.attempt.reply) == (200, "hello")
    fault("rebinding in between", "every lookup has another answer", f"{result_of(result)}: there is only one lookup")


def test_one_private_address_among_public_ones_is_refused(meet, fault):
    meeting = meet("127.0.0.1:1", lookup=resolving_to(PUBLIC, "10.0.0.7"))
    result = meeting.send(url=f"http://{NAME}/pb")
    assert result.attempt.error == f"{NAME} leads to 10.0.0.7:80, which is not a public address"
    fault("mixed addresses", "the name has a public and a private address", result_of(result))


def test_the_second_address_is_tried_when_the_first_refuses(meet, serve, fault):
    partner = serve(answers(HELLO))
    meeting = meet(f"{NAME}:{partner.port}", lookup=resolving_to("127.0.0.9", "127.0.0.1"))
    result = meeting.send()
    assert result.attempt.reply == "hello"
    fault("dead first address", "the first of two addresses refuses", result_of(result))


def test_the_second_address_has_its_share_of_time_when_the_first_is_silent(meet, serve, fault):
    partner = serve(answers(HELLO))
    with blackhole("127.0.0.9", partner.port):
        meeting = meet(f"{NAME}:{partner.port}", lookup=resolving_to("127.0.0.9", "127.0.0.1"), connect=LONG)
        result = meeting.send()
    assert result.attempt.reply == "hello"
    fault("silent first address", "the first of two addresses never answers", result_of(result))


def test_a_refused_connection_is_a_failure(meet, fault):
    with socket.socket() as not_listening:
        not_listening.bind(("127.0.0.1", 0))
        result = meet(f"127.0.0.1:{not_listening.getsockname()[1]}").send()
    assert result.attempt.error.endswith("NewConnectionError: ConnectionRefusedError")
    assert not result.timed_out
    fault("connection refused", "nobody listens", result_of(result))


def test_a_blackhole_takes_no_longer_than_the_connect_timeout(meet, fault):
    with blackhole() as port:
        result = meet(f"127.0.0.1:{port}", connect=SHORT, total=PATIENCE).send()
    assert result.timed_out
    assert result.attempt.error == f"no connection within {SHORT} s"
    fault("blackhole", "packets are dropped", result_of(result))


@pytest.mark.parametrize(
    ("what", "pieces"),
    [
        ("before the answer", []),
        ("within the headers", [b"HTTP/1.1 200 OK\r\ncontent-le"]),
        ("within the body", [answer(body=b"x", length=100)]),
    ],
)
def test_a_reset_is_a_failure_and_is_not_sent_again(meet, serve, fault, what, pieces):
    partner = serve(then_ends(*pieces, by=Connection.reset))
    result = meet(partner).send()
    assert result.attempt.status_code is None
    assert "ConnectionResetError" in result.attempt.error
    assert not result.timed_out
    assert len(partner.requests) == 1
    fault(f"reset {what}", "RST", result_of(result))


def test_a_valid_certificate_is_accepted(meet, serve, authority):
    partner = serve(answers(HELLO), tls=authority.context_for(NAME))
    meeting = meet(
        f"{NAME}:{partner.port}", scheme="https", lookup=resolving_to("127.0.0.1"), ca_file=authority.ca_file
    )
    assert [meeting.send().attempt.reply for _ in range(3)] == ["hello"] * 3
    assert partner.connections == 1


@pytest.mark.parametrize(
    ("what", "host", "self_signed"),
    [("is self-signed", NAME, True), ("is for another host", "other.test", False)],
)
def test_an_invalid_certificate_ends_the_exchange_before_anything_is_sent(
    meet, serve, fault, authority, what, host, self_signed
):
    partner = serve(answers(HELLO), tls=authority.context_for(host, self_signed=self_signed))
    meeting = meet(
        f"{NAME}:{partner.port}", scheme="https", lookup=resolving_to("127.0.0.1"), ca_file=authority.ca_file
    )
    result = meeting.send()
    assert result.attempt.error.endswith("SSLCertVerificationError")
    assert not result.timed_out
    assert partner.cut_off.wait(PATIENCE)
    assert partner.requests == []
    fault("wrong certificate", f"it {what}", result_of(result))


def test_a_certificate_of_an_untrusted_authority_is_refused(meet, serve, fault, authority):
    partner = serve(answers(HELLO), tls=authority.context_for(NAME))
    result = meet(f"{NAME}:{partner.port}", scheme="https", lookup=resolving_to("127.0.0.1")).send()
    assert result.attempt.error.endswith("SSLCertVerificationError")
    assert partner.cut_off.wait(PATIENCE)
    fault("wrong certificate", "it is from an unknown authority", result_of(result))


def test_a_server_that_stalls_in_the_handshake_is_cut_off(meet, serve, fault):
    partner = serve(keeps_silent)
    result = meet(partner, scheme="https", total=SHORT).send()
    assert result.timed_out
    assert result.attempt.error == f"no complete answer within {SHORT} s"
    assert partner.cut_off.wait(PATIENCE)
    fault("TLS stall", "the ClientHello is never answered", result_of(result))


def test_a_handshake_sent_byte_by_byte_is_cut_off(meet, serve, fault):
    def drip_a_server_hello(connection):
        connection.send(b"\x16\x03\x03\x40\x00")  # the head of a handshake record of 16 KiB
        connection.drip(b"\x00")

    partner = serve(drip_a_server_hello)
    result = meet(partner, scheme="https", total=SHORT).send()
    assert result.timed_out
    assert partner.cut_off.wait(PATIENCE)
    fault("slow TLS", "the handshake is sent byte by byte", result_of(result))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_reads_too_slowly_is_cut_off(meet, serve, fault, authority, scheme):
    body, given_up, read_it_all = bytes(32_000_000), threading.Event(), threading.Event()

    def read_slowly(connection):
        received = 0
        while received < len(body) and not given_up.is_set():
            received += connection.sip()
        if received >= len(body):
            read_it_all.set()
        connection.wait_until_they_close()

    partner = serve(read_slowly, tls=authority.context_for(NAME) if scheme == "https" else None)
    trust = {"lookup": resolving_to("127.0.0.1"), "ca_file": authority.ca_file}
    result = meet(f"{NAME}:{partner.port}", scheme=scheme, total=SHORT, **trust).send(Method.POST, body=body)
    assert not read_it_all.is_set()
    given_up.set()
    assert result.timed_out
    assert partner.cut_off.wait(PATIENCE)
    fault("slow reader", f"reads 32 MB little by little, {scheme}", result_of(result))


def test_plain_http_on_an_https_port_is_a_failure(meet, serve, fault):
    def answer_in_plain_text(connection):
        connection.send(answer("400 Bad Request"))
        connection.wait_until_they_close()

    partner = serve(answer_in_plain_text)
    result = meet(partner, scheme="https").send()
    assert "SSLError" in result.attempt.error
    fault("no TLS", "plain HTTP on the port of https", result_of(result))


def test_a_connection_known_to_be_closed_is_not_reused(meet, serve, fault):
    ended = threading.Event()

    def answer_once(connection):
        connection.receive()
        connection.send(HELLO)
        connection.close_properly()
        ended.set()

    partner = serve(answer_once, answers(HELLO))
    meeting = meet(partner)
    first = meeting.send()
    assert ended.wait(PATIENCE)
    second = meeting.send()
    assert [first.attempt.reply, second.attempt.reply] == ["hello", "hello"]
    assert (partner.connections, len(partner.requests)) == (2, 2)
    fault("half-closed keep-alive", "closes after its answer", result_of(first, second))


@pytest.mark.parametrize(("what", "by"), ENDS)
@pytest.mark.parametrize("method", Method)
def test_a_reused_connection_that_breaks_is_replaced_once(meet, serve, fault, what, by, method):
    partner = serve(answers_once_then(by), answers(HELLO))
    meeting = meet(partner)
    body = {"body": b'{"a": 1}'} if method is Method.POST else {}
    results = [meeting.send(method, **body) for _ in range(2)]
    assert [result.attempt.reply for result in results] == ["hello", "hello"]
    assert partner.connections == 2
    assert partner.requests[1] == partner.requests[2]
    fault(f"keep-alive race, {method}", f"{what} at the second request", result_of(*results))


def test_an_exchange_that_met_a_dead_connection_reuses_no_other(serve):
    partner = serve(answers(HELLO))
    adapter = GuardedAdapter(Guard(AllowedTargets.parse(partner.host), socket.getaddrinfo, 1, certifi.where()))
    request = requests.Request("GET", f"http://{partner.host}/").prepare()
    for takes_kept, connections in ((True, 1), (True, 1), (False, 2)):
        with Exchange(5, 65_536) as exchange:
            exchange.may_reuse_connections = takes_kept
            assert adapter.send(request).content == b"hello"
            assert partner.connections == connections


def test_a_new_connection_that_breaks_as_well_is_a_failure(meet, serve, fault):
    partner = serve(answers_once_then(Connection.close_properly), then_ends())
    meeting = meet(partner)
    results = [meeting.send(), meeting.send()]
    assert results[1].attempt.error.endswith("RemoteDisconnected")
    assert len(partner.requests) == 3
    fault("keep-alive, twice", "closes the new connection, too", result_of(*results))


@pytest.mark.parametrize(("what", "by"), ENDS)
def test_a_reused_connection_that_breaks_during_the_answer_is_not_replaced(meet, serve, fault, what, by):
    def begin_to_answer(connection):
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n")
        by(connection)

    partner = serve(answers_once_then(begin_to_answer), answers(HELLO))
    meeting = meet(partner)
    results = [meeting.send(), meeting.send()]
    assert results[1].attempt.status_code is None
    assert len(partner.requests) == 2
    fault("keep-alive, half an answer", f"{what} within its second answer", result_of(*results))


def test_a_reused_connection_that_falls_silent_is_closed_and_the_next_one_is_new(meet, serve, fault):
    partner = serve(answers_once(HELLO), answers(HELLO))
    meeting = meet(partner, total=LONG)
    results = [meeting.send() for _ in range(3)]
    assert [result.timed_out for result in results] == [False, True, False]
    assert partner.connections == 2
    fault("silent keep-alive", "forgets a kept connection silently", result_of(*results))
