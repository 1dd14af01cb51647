"""The log lines and measurements of a result; `telemetry.record` writes them.

Results describe themselves, so that use cases know no logger, and telemetry knows no use case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from ricochet.metrics import Metric


@dataclass(frozen=True)
class LogLine:
    message: str
    fields: Mapping[str, Any]
    level: int = logging.INFO
    failure: Exception | None = None


@dataclass(frozen=True)
class Measurement:
    """One value of a metric, with the value of its dimension (a currency, a network) if it has one."""

    metric: Metric
    value: float = 1
    dimension: str | None = None


class Recordable(Protocol):
    """A result of a use case."""

    def log_lines(self) -> Iterable[LogLine]: ...

    def measurements(self) -> Iterable[Measurement]: ...


def money_moved(change: Decimal, currency: str, gained: Metric, lost: Metric) -> Iterator[Measurement]:
    """Yield the measurement of a sum gained or lost; nothing for zero."""
    if change:
        yield Measurement(gained if change > 0 else lost, abs(float(change)), currency)
