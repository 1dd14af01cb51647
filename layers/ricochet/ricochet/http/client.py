"""Sends a request: one deadline, no redirects, no settings from the environment."""

from __future__ import annotations

import email.utils
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import certifi
import requests
from requests.exceptions import ConnectTimeout

from ricochet.errors import TargetRefusedError
from ricochet.http.addresses import AllowedTargets
from ricochet.http.attempt import Attempt
from ricochet.http.deadline import Exchange
from ricochet.http.guarded_pool import Guard, GuardedAdapter
from ricochet.http.outbound import Outbound
from ricochet.http.resolver import Lookup
from ricochet.values import times

MAX_REPLY_BYTES = 64 * 1024
"""More of a reply's body is not read: its status still counts, and the connection is closed."""

MAX_RESPONSE_BYTES = 2 * MAX_REPLY_BYTES
"""The whole response, with headers and interim responses; a longer one is a failure."""

KEPT_REPLY_CHARACTERS = 1024


@dataclass(frozen=True)
class Limits:
    """Timeouts in seconds: to connect, and for the whole exchange."""

    connect: float
    total: float


FIRST_ATTEMPT = Limits(connect=1.0, total=3.0)

RETRY = Limits(connect=2.0, total=15.0)


@dataclass(frozen=True)
class SendResult:
    attempt: Attempt
    retry_after: int | None = None  # the partner's header in seconds

    @property
    def timed_out(self) -> bool:
        return bool(self.attempt.timed_out)


class Sender:
    """Sends requests and reuses connections; one per process, safe to share between threads.

    `lookup` is a function like `socket.getaddrinfo`; `ca_file` has the certificate authorities to trust.
    """

    def __init__(
        self,
        allowed: AllowedTargets,
        limits: Limits,
        *,
        lookup: Lookup = socket.getaddrinfo,
        ca_file: str = certifi.where(),
    ) -> None:
        self._limits = limits
        self._adapter = GuardedAdapter(Guard(allowed, lookup, limits.connect, ca_file))

    def send(self, outbound: Outbound) -> SendResult:
        """Send a request and return its result; nothing that the other side does raises an exception."""
        at, start = times.now(), time.monotonic()
        status_code = reply = retry_after = None
        failed: dict[str, Any] = {}
        with Exchange(self._limits.total, MAX_RESPONSE_BYTES) as exchange:
            try:
                status_code, reply, retry_after = self._exchange(outbound)
            except TargetRefusedError as refusal:
                failed = {"error": refusal.message, "partner_error": refusal.without_address}
            except Exception as failure:  # noqa: BLE001 - a failed request must not fail the others
                timeout = self._timeout(exchange, failure)
                failed = {"error": timeout, "timed_out": True} if timeout else _kinds(failure)
        milliseconds = round((time.monotonic() - start) * 1000)
        attempt = Attempt(at=at, ms=milliseconds, status_code=status_code, reply=reply, **failed)
        return SendResult(attempt, retry_after)

    def _exchange(self, outbound: Outbound) -> tuple[int, str, int | None]:
        with self._adapter.send(_prepared(outbound), stream=True, timeout=self._limits.total) as response:
            body = bytearray()
            while len(body) < MAX_REPLY_BYTES and (chunk := response.raw.read1(4096, decode_content=False)):
                body += chunk
            text = bytes(body[: KEPT_REPLY_CHARACTERS * 4]).decode("utf-8", "replace")[:KEPT_REPLY_CHARACTERS]
            return response.status_code, text, _retry_after(response.headers.get("retry-after"))

    def _timeout(self, exchange: Exchange, failure: Exception) -> str | None:
        """Return which timeout the failure is; None if it is another failure."""
        if exchange.is_over:
            return f"no complete answer within {self._limits.total:g} s"
        return f"no connection within {self._limits.connect:g} s" if isinstance(failure, ConnectTimeout) else None


def _prepared(outbound: Outbound) -> requests.PreparedRequest:
    """Return a request with nothing added: no cookies, no netrc, and the URL as it was signed.

    `PreparedRequest.prepare` would normalize the URL and the headers again.
    """
    request = requests.PreparedRequest()
    request.method, request.url, request.body = outbound.method, outbound.url, outbound.body
    headers = outbound.headers | {"Accept-Encoding": "identity"}
    if outbound.body is not None:
        headers["Content-Length"] = str(len(outbound.body))
    request.headers = headers  # type: ignore[assignment] # only ever looked up by these exact names
    return request


def _kinds(failure: BaseException) -> dict[str, str]:
    """Return the error types from the outside in; their texts would show the URL with its secrets."""
    names: list[str] = []
    inner: BaseException | None = failure
    while inner is not None:
        names.append(type(inner).__name__)
        inner = next((part for part in inner.args if isinstance(part, BaseException)), inner.__cause__)
    return {"error": ": ".join(dict.fromkeys(names)), "error_kind": names[-1]}


def _retry_after(value: str | None) -> int | None:
    """Return the seconds in a Retry-After header, which may be a date; None if it has neither."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return int(value.strip()[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
        wait = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    except (ValueError, OverflowError, TypeError):
        return None
    return max(0, round(wait))
