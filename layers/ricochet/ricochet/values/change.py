"""A change that somebody made on purpose, and the audit line that says so: who, what, and what it was before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    warnings: Sequence[str] = ()


class Audit(ABC):
    """Where a use case records what one person changed."""

    def record_change[E: Entity](
        self, action: str, resource_id: str, change: Change[E], reason: str | None = None, **ids: str | None
    ) -> Change[E]:
        """Write the fields that differ (all, of what is new), nothing if none does; return `change`.

        `action` is what was done to what, such as `product.updated`; `ids` are others to find the line by.
        """
        fields = fields_with(type(change.after), _AUDITED)
        changed = [name for name in fields if getattr(change.before, name, None) != getattr(change.after, name)]
        if changed:
            result = {"before": _values(change.before, changed), "after": _values(change.after, changed)}
            line = {"who": self.who, "action": action, "resource": resource_id} | result
            known = {name: one for name, one in ids.items() if one}
            self.write(line | ({"reason": reason} if reason else {}), known)
        return change

    def record_run(self, action: str, resource_id: str, result: Mapping[str, Any]) -> None:
        """Write what was started for many things at once, and its result in numbers."""
        self.write({"who": self.who, "action": action, "resource": resource_id, "result": result}, {})

    @property
    @abstractmethod
    def who(self) -> str:
        """The person's id."""

    @abstractmethod
    def write(self, line: dict[str, Any], ids: Mapping[str, str]) -> None: ...


def _values(entity: Entity | None, names: Sequence[str]) -> dict[str, Any]:
    return {
        type(entity).model_fields[name].alias or name: _value(value, type(entity).visibility(name))
        for name in names
        if entity is not None and (value := getattr(entity, name)) is not None
    }


def _value(value: Any, visibility: Visibility | None) -> Any:
    if visibility is not Visibility.SHOWN and value:
        return MASK
    if isinstance(value, str):
        return masked(value)
    return str(value) if isinstance(value, Decimal) else as_json(value, frozenset({Visibility.SHOWN}))
