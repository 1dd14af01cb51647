"""When a failed delivery is retried, and when it is parked."""

from __future__ import annotations

import random
from dataclasses import dataclass

MAX_QUEUE_DELAY = 900
"""The longest delay of an SQS message in seconds; longer delays are kept in the due index of Deliveries."""

MAX_RETRY_AFTER = 6 * 3600

CLIENT_ERROR_RETRIES = 3
"""A 4xx means that our request is wrong, and retries seldom change that."""

_TEMPORARY = frozenset({408, 425, 429})


@dataclass(frozen=True)
class RetrySchedule:
    """Delays in seconds after the first, second, … failure; the failure after the last one parks the delivery."""

    delays: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> RetrySchedule:
        """Read a comma-separated list such as `10,60,300`. Raise ValueError for anything else."""
        delays = tuple(int(part) for part in text.split(","))
        if any(delay < 0 for delay in delays):
            raise ValueError("delays must not be negative")
        return cls(delays)

    @property
    def first_delay(self) -> int:
        return self.delays[0] if self.delays else 0

    def delay_after(self, failures: int, refusals: int, retry_after: int | None) -> float | None:
        """Return the seconds until the next attempt, with 0-10 % of jitter, or None to give up.

        `refusals` counts the failures with a 4xx, `retry_after` is the partner's header in seconds.
        """
        if failures > len(self.delays) or refusals > CLIENT_ERROR_RETRIES:
            return None
        delay = self.delays[failures - 1]
        if retry_after is not None:
            delay = max(delay, min(retry_after, MAX_RETRY_AFTER))
        return delay * random.uniform(1.0, 1.1)  # noqa: S311 - jitter


def is_server_failure(status_code: int | None) -> bool:
    """Return whether a failure concerns the partner's server as a whole, and not just this postback."""
    return status_code is None or status_code >= 500 or status_code in _TEMPORARY


def is_refusal(status_code: int | None) -> bool:
    """Return whether the partner refused this postback."""
    return status_code is not None and 400 <= status_code < 500 and status_code not in _TEMPORARY
