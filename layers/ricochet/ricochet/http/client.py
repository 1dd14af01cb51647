"""Sends postbacks: one request, one deadline, no redirects, nothing from the environment."""

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

MAX_BODY_BYTES = 64 * 1024
"""What follows is not read: the status counts, and the connection is closed."""

MAX_ANSWER_BYTES = 2 * MAX_BODY_BYTES
"""With headers and whatever else comes before the body; more is a failure."""

KEPT_REPLY_CHARACTERS = 1024


@dataclass(frozen=True)
class Limits:
    """Seconds: to connect, and for the whole exchange."""

    connect: float
    total: float


FIRST_ATTEMPT = Limits(connect=1.0, total=3.0)

RETRY = Limits(connect=2.0, total=15.0)


@dataclass(frozen=True)
class SendResult:
    attempt: Attempt
    retry_after: int | None = None  # seconds, as the partner asked

    @property
    def timed_out(self) -> bool:
        return bool(self.attempt.timed_out)


class Sender:
    """One per process and safe to share between threads; connections are kept and reused.

    `lookup` is of `socket.getaddrinfo`'s shape; `ca_file` holds the authorities to trust.
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
        """What came of it; whatever the partner does is an answer here, never an exception."""
        at, start = times.now(), time.monotonic()
        status_code = reply = retry_after = None
        failed: dict[str, Any] = {}
        with Exchange(self._limits.total, MAX_ANSWER_BYTES) as exchange:
            try:
                status_code, reply, retry_after = self._ask(outbound)
            except TargetRefusedError as refusal:
                failed = {"error": refusal.message, "partner_error": refusal.without_address}
            except Exception as failure:  # noqa: BLE001 - one partner's answer must not fail the others' record
                late = self._lateness(exchange, failure)
                failed = {"error": late, "timed_out": True} if late else _named(failure)
        milliseconds = round((time.monotonic() - start) * 1000)
        attempt = Attempt(at=at, ms=milliseconds, status_code=status_code, reply=reply, **failed)
        return SendResult(attempt, retry_after)

    def _ask(self, outbound: Outbound) -> tuple[int, str, int | None]:
        with self._adapter.send(_prepared(outbound), stream=True, timeout=self._limits.total) as response:
            body = bytearray()
            while len(body) < MAX_BODY_BYTES and (chunk := response.raw.read1(4096, decode_content=False)):
                body += chunk
            text = bytes(body[: KEPT_REPLY_CHARACTERS * 4]).decode("utf-8", "replace")[:KEPT_REPLY_CHARACTERS]
            return response.status_code, text, _retry_after(response.headers.get("retry-after"))

    def _lateness(self, exchange: Exchange, failure: Exception) -> str | None:
        """What was waited for in vain; None if waiting was not the matter."""
        if exchange.is_over:
            return f"no complete answer within {self._limits.total:g} s"
        return f"no connection within {self._limits.connect:g} s" if isinstance(failure, ConnectTimeout) else None


def _prepared(outbound: Outbound) -> requests.PreparedRequest:
    """Nothing but what `outbound` says: no cookies, no netrc, and its URL as it was signed.

    `prepare` would parse and write all of it once more.
    """
    request = requests.PreparedRequest()
    request.method, request.url, request.body = outbound.method, outbound.url, outbound.body
    headers = outbound.headers | {"Accept-Encoding": "identity"}
    if outbound.body is not None:
        headers["Content-Length"] = str(len(outbound.body))
    request.headers = headers  # type: ignore[assignment] # names are looked up as they are written here
    return request


def _named(failure: BaseException) -> dict[str, str]:
    """The kinds of error from the outside in; their texts would carry the URL, and with it secrets."""
    names: list[str] = []
    inner: BaseException | None = failure
    while inner is not None:
        names.append(type(inner).__name__)
        inner = next((part for part in inner.args if isinstance(part, BaseException)), inner.__cause__)
    return {"error": ": ".join(dict.fromkeys(names)), "error_kind": names[-1]}


def _retry_after(value: str | None) -> int | None:
    """Seconds in a Retry-After header, which may also be a date; None if there is none to be had."""
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
