"""Sends postbacks: one request, one deadline, no redirects, nothing from the environment."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.exceptions import RequestException, Timeout
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ricochet.errors import TargetRefusedError
from ricochet.models import times
from ricochet.models.delivery import Attempt
from ricochet.rules.addresses import AllowedTargets
from ricochet.rules.outbound import Outbound
from ricochet.rules.retry_schedule import is_success
from ricochet.sender.guard import GuardedAdapter

MAX_READ_BYTES = 64 * 1024
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

    @property
    def succeeded(self) -> bool:
        return is_success(self.attempt.status_code)


class Sender:
    """One per process and safe to share between threads; connections are kept and reused."""

    def __init__(self, allowed: AllowedTargets, limits: Limits) -> None:
        self._limits = limits
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = GuardedAdapter(allowed)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def send(self, outbound: Outbound) -> Sent:
        """What came of it; a partner's failure is an answer here, never an exception."""
        at, start = times.now(), time.monotonic()
        status_code = error = reply = retry_after = None
        try:
            status_code, reply, retry_after = self._exchange(outbound, start + self._limits.total)
        except (Timeout, ReadTimeoutError):
            error = f"no complete answer within {self._limits.total:g} s"
        except TargetRefusedError as refusal:
            error = refusal.message
        except (RequestException, HTTPError, ValueError) as failure:
            error = f"{type(failure).__name__}: {failure}"[:256]
        milliseconds = round((time.monotonic() - start) * 1000)
        return Sent(Attempt(at=at, ms=milliseconds, status_code=status_code, error=error, reply=reply), retry_after)

    def _exchange(self, outbound: Outbound, deadline: float) -> tuple[int, str, int | None]:
        with self._session.request(
            outbound.method,
            outbound.url,
            data=outbound.body,
            headers=outbound.headers | {"accept-encoding": "identity"},
            timeout=(self._limits.connect, self._limits.total),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            while len(body) < MAX_READ_BYTES:
                if time.monotonic() > deadline:
                    raise Timeout
                chunk = response.raw.read1(4096, decode_content=False)
                if not chunk:
                    break
                body += chunk
            text = bytes(body[: KEPT_REPLY_CHARACTERS * 4]).decode("utf-8", "replace")[:KEPT_REPLY_CHARACTERS]
            return response.status_code, text, _retry_after(response.headers.get("retry-after"))


def _retry_after(value: str | None) -> int | None:
    """Seconds in a Retry-After header, which may also be a date; None if there is none to be had."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return int(value.strip()[:9])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, round((moment - datetime.now(UTC)).total_seconds()))
