"""Sends postbacks: one request, one deadline, no redirects, nothing from the environment."""

from __future__ import annotations

import email.utils
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.exceptions import Timeout
from urllib3.exceptions import ReadTimeoutError

from ricochet.errors import TargetRefusedError
from ricochet.models import times
from ricochet.models.delivery import Attempt
from ricochet.rules.addresses import AllowedTargets
from ricochet.rules.outbound import Outbound
from ricochet.sender.guard import GuardedAdapter, OpenConnections

MAX_READ_BYTES = 64 * 1024
MAX_EXCHANGES = 128
KEPT_REPLY_CHARACTERS = 1024


@dataclass(frozen=True)
class Limits:
    """Seconds: to connect, and for the whole exchange."""

    connect: float
    total: float


FIRST_ATTEMPT = Limits(connect=1.0, total=3.0)
RETRY = Limits(connect=2.0, total=15.0)


@dataclass(frozen=True)
class Sent:
    attempt: Attempt
    retry_after: int | None = None  # seconds, as the partner asked


class Sender:
    """One per process and safe to share between threads; connections are kept and reused.

    Each exchange runs in a thread of its own, so that one deadline holds for all of it: a server that sends a byte now
    and then keeps every single read alive, but not the whole.
    """

    def __init__(self, allowed: AllowedTargets, limits: Limits) -> None:
        self._limits = limits
        self._connections = OpenConnections()
        self._exchanges = ThreadPoolExecutor(MAX_EXCHANGES, thread_name_prefix="exchange")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = GuardedAdapter(allowed, self._connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send(self, outbound: Outbound) -> Sent:
        """What came of it; whatever the partner does is an answer here, never an exception."""
        at, start = times.now(), time.monotonic()
        status_code = error = reply = retry_after = None
        ticket = object()
        exchange = self._exchanges.submit(self._exchange, outbound, ticket)
        try:
            status_code, reply, retry_after = exchange.result(timeout=self._limits.total)
        except (TimeoutError, Timeout, ReadTimeoutError):
            self._connections.cut(ticket)
            error = f"no complete answer within {self._limits.total:g} s"
        except TargetRefusedError as refusal:
            error = refusal.message
        except Exception as failure:  # noqa: BLE001 - one partner's answer must not fail the others' record
            error = _named(failure)
        milliseconds = round((time.monotonic() - start) * 1000)
        return Sent(Attempt(at=at, ms=milliseconds, status_code=status_code, error=error, reply=reply), retry_after)

    def _exchange(self, outbound: Outbound, ticket: object) -> tuple[int, str, int | None]:
        with (
            self._connections.under(ticket),
            self._session.request(
                outbound.method,
                outbound.url,
                data=outbound.body,
                headers=outbound.headers | {"accept-encoding": "identity"},
                timeout=(self._limits.connect, self._limits.total),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            body = bytearray()
            while len(body) < MAX_READ_BYTES:
                chunk = response.raw.read1(4096, decode_content=False)
                if not chunk:
                    break
                body += chunk
            text = bytes(body[: KEPT_REPLY_CHARACTERS * 4]).decode("utf-8", "replace")[:KEPT_REPLY_CHARACTERS]
            return response.status_code, text, _retry_after(response.headers.get("retry-after"))


def _named(failure: Exception) -> str:
    """The kinds of error from the outside in; their texts would carry the URL, and with it secrets."""
    names, inner = [type(failure).__name__], failure.args[0] if failure.args else None
    while isinstance(inner, Exception):
        names.append(type(inner).__name__)
        inner = getattr(inner, "reason", None)
    return ": ".join(dict.fromkeys(names))


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
