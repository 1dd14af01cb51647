"""One line in the log for each thing that an operator changed: who, what, and what it was before."""

from __future__ import annotations

import logging
import re
from typing import Any

from ricochet.telemetry import logger
from ricochet.values.entity import Entity
from ricochet.values.masking import MASK, masked

# Below the logger of all else, whose handler, format and keys it has, but not its level: LogLevel=ERROR silences no
# change of an operator's.
_log = logging.getLogger(logger.name).getChild("audit")
_log.setLevel(logging.INFO)

# Of these it is told that they changed: secrets, what may hold secrets anywhere, and who a user is.
_UNTOLD = re.compile(r"secret|token|uniqueKey|successor|bodyTemplate|logins", re.IGNORECASE)
_BOOKKEEPING = {
    "versions",
    "versionAt",
    "active_periods",
    "reports",
    "dayShard",
    "waitingShard",
    "creditShard",
    "revision",
    "sourceDay",
    "ttl",
}
_PERSONAL = {"ip", "sourceIp", "query", "headers", "body"}


def audit(
    who: str, action: str, resource_id: str, before: Entity | None, after: Entity, reason: str | None = None
) -> None:
    """Logs the fields that differ (all, of what is new: `before` is None), secrets masked; nothing if none differs.

    `who` is the caller's `sub`; `action` says what was done to what: `product.updated`.
    """
    line = line_of_change(who, action, resource_id, before, after, reason)
    if line:
        _log.info("audit", extra={"audit": line})


def line_of_change(
    who: str, action: str, resource_id: str, before: Entity | None, after: Entity, reason: str | None = None
) -> dict[str, Any]:
    """What `audit` logs; empty if nothing differs."""
    old, new = _fields(before), _fields(after)
    changed = [name for name in old | new if old.get(name) != new.get(name)]
    if not changed:
        return {}
    line = {
        "who": who,
        "action": action,
        "resource": resource_id,
        "before": {name: _masked(name, old[name]) for name in changed if name in old},
        "after": {name: _masked(name, new[name]) for name in changed if name in new},
    }
    return line | ({"reason": reason} if reason else {})


def audit_run(who: str, action: str, resource_id: str, result: dict[str, Any]) -> None:
    """Logs what an operator set going for many at once, and what came of it in numbers."""
    _log.info("audit", extra={"audit": line_of_run(who, action, resource_id, result)})


def line_of_run(who: str, action: str, resource_id: str, result: dict[str, Any]) -> dict[str, Any]:
    """What `audit_run` logs."""
    return {"who": who, "action": action, "resource": resource_id, "result": result}


def _fields(entity: Entity | None) -> dict[str, Any]:
    if entity is None:
        return {}
    return {name: value for name, value in entity.to_item().items() if name not in _BOOKKEEPING | _PERSONAL}


def _masked(name: str, value: Any) -> Any:
    if value and _UNTOLD.search(name):
        return MASK
    return masked(value) if isinstance(value, str) else value
