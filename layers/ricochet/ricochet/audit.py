"""Audit lines of a function: in its log, beside all that it logs of the same request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ricochet.telemetry import logger
from ricochet.values.change import Audit
from ricochet.values.times import Moment

# A child of the logger of everything else, with its handler, format and keys, but a level of its own: LogLevel=ERROR
# silences no change of an operator's.
_log = logging.getLogger(logger.name).getChild("audit")
_log.setLevel(logging.INFO)


class AuditLog(Audit):
    """`caller` returns the id (`sub`) of the person whose request is being handled."""

    def __init__(self, caller: Callable[[], Moment]) -> None:
        self._caller = caller

    @property
    def who(self) -> str:
        return self._caller()

    def write(self, line: dict[str, Any], ids: Mapping[str, str]) -> None:
        _log.info("audit", extra={**ids, "audit": line})
