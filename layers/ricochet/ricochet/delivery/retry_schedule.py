"""When a failed delivery is tried again, and when it is given up."""

from __future__ import annotations

import random
from dataclasses import dataclass

MAX_QUEUE_DELAY = 900
"""Seconds that SQS can hold a message back; longer waits stand in the due index of Deliveries."""

MAX_RETRY_AFTER = 6 * 3600

CLIENT_ERROR_RETRIES = 3
"""A 4xx says that we are wrong, which patience seldom mends."""

_RETRIED = frozenset({408, 425, 429})


@dataclass(frozen=True)
class RetrySchedule:
    """Seconds to wait after the first, second... failed attempt; after the last of them a delivery is parked."""

    delays: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> RetrySchedule:
        """From a comma-separated list such as `10,60,300`; ValueError if it is anything else."""
        delays = tuple(int(part) for part in text.split(","))
        if any(delay < 0 for delay in delays):
            raise ValueError("delays are seconds, not negative")
        return cls(delays)

    @property
    def first_delay(self) -> int:
        return self.delays[0] if self.delays else 0

    def wait_after(self, failures: int, refusals: int, retry_after: int | None) -> float | None:
        """Seconds until the next attempt, with 0-10 % of jitter; None: give up. `refusals`: those by a 4xx."""
        if failures > len(self.delays) or refusals > CLIENT_ERROR_RETRIES:
            return None
        delay = self.delays[failures - 1]
        if retry_after is not None:
            delay = max(delay, min(retry_after, MAX_RETRY_AFTER))
        return delay * random.uniform(1.0, 1.1)  # noqa: S311 - jitter


def speaks_of_the_server(status_code: int | None) -> bool:
    """Whether a failure says that the partner's server is unwell, and not that it dislikes this one postback."""
    return status_code is None or status_code >= 500 or status_code in _RETRIED


def is_refusal(status_code: int | None) -> bool:
    """Whether the partner says that we are wrong."""
    return status_code is not None and 400 <= status_code < 500 and status_code not in _RETRIED
