"""A change that somebody made on purpose, and the audit line that says so: who, what, and what it was before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ricochet.values.entity import Entity, Visibility, as_json, fields_with
from ricochet.values.masking import MASK, masked

_AUDITED = frozenset({Visibility.SHOWN, Visibility.MASKED, Visibility.SECRET})


@dataclass(frozen=True)
class Change[E: Entity]:
    """What a use case saved."""

    before: E | None  # None: it is new
    after: E
    secret: str | None = None  # in clear, if it is new: the only time that it is shown
    warnings: Sequence[str] = field(default=())


class Audit(ABC):
    """Where a use case records what one person changed."""

    def record_change[E: Entity](
        self, action: str, resource_id: str, change: Change[E], reason: str | None = None, **ids: str | None
    ) -> Change[E]:
        """Write one line, unless nothing differs, and return `change`; the line can be found by `ids`.

        `action` is what was done to what: `product.updated`.
        """
        line = line_of_change(self.who, action, resource_id, change, reason)
        if line:
            self.write(line, {name: one for name, one in ids.items() if one})
        return change

    def record_run(self, action: str, resource_id: str, result: Mapping[str, Any]) -> None:
        """Write what was started for many things at once, and its result in numbers."""
        self.write(line_of_run(self.who, action, resource_id, result), {})

    @property
    @abstractmethod
    def who(self) -> str:
        """The person's id."""

    @abstractmethod
    def write(self, line: dict[str, Any], ids: Mapping[str, str]) -> None: ...


def line_of_change(
    who: str, action: str, resource_id: str, change: Change[Any], reason: str | None = None
) -> dict[str, Any]:
    """The fields that differ (of what is new, all), secrets masked; empty if none differs."""
    before: Entity | None = change.before
    after: Entity = change.after
    changed = [
        name for name in fields_with(type(after), _AUDITED) if getattr(before, name, None) != getattr(after, name)
    ]
    if not changed:
        return {}
    line = {
        "who": who,
        "action": action,
        "resource": resource_id,
        "before": _values(before, changed),
        "after": _values(after, changed),
    }
    return line | ({"reason": reason} if reason else {})


def line_of_run(who: str, action: str, resource_id: str, result: Mapping[str, Any]) -> dict[str, Any]:
    return {"who": who, "action": action, "resource": resource_id, "result": result}


def _values(entity: Entity | None, names: Sequence[str]) -> dict[str, Any]:
    if entity is None:
        return {}
    fields, values = type(entity).model_fields, {name: getattr(entity, name) for name in names}
    return {
        fields[name].alias or name: _value(value, type(entity).visibility(name))
        for name, value in values.items()
        if value is not None
    }


def _value(value: Any, visibility: Visibility | None) -> Any:
    if visibility is not Visibility.SHOWN and value:
        return MASK
    if isinstance(value, str):
        return masked(value)
    return str(value) if isinstance(value, Decimal) else as_json(value, frozenset({Visibility.SHOWN}))
