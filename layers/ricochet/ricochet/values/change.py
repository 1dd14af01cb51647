"""A change made by a person, and its audit line: who, what, before and after."""

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
    """An entity before and after a use case saved it."""

    before: E | None  # None: it is new
    after: E
    secret: str | None = None  # in clear text if it is new; shown only this once
    warnings: Sequence[str] = ()


class Audit(ABC):
    """Records the changes of one person."""

    def record_change[E: Entity](
        self, action: str, resource_id: str, change: Change[E], reason: str | None = None, **ids: str | None
    ) -> Change[E]:
        """Write the fields that differ (all of a new entity), nothing if there are none; return `change`.

        `action` is such as `product.updated`; `ids` are further ids by which the line can be found.
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
        """Write a line for an action on many entities, with its result in numbers."""
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
