"""Models in camelCase outside and snake_case inside, and who may see each attribute of what is stored.

An attribute's declaration says who sees it. One without a marker is bookkeeping: it is stored, and nobody sees it.

| marker      | answers | audit lines          |
|-------------|---------|----------------------|
| `Shown`     | yes     | before and after     |
| `Masked`    | yes     | only that it changed |
| `Unaudited` | yes     | no                   |
| `Secret`    | no      | only that it changed |
| none        | no      | no                   |
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, auto
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from ricochet.values.money import json_number


class Visibility(Enum):
    SHOWN = auto()
    MASKED = auto()
    UNAUDITED = auto()
    SECRET = auto()


T = TypeVar("T")

Shown = Annotated[T, Visibility.SHOWN]

Masked = Annotated[T, Visibility.MASKED]
"""May contain a secret or identify a person."""

Unaudited = Annotated[T, Visibility.UNAUDITED]
"""Is personal, long, or follows from another change."""

Secret = Annotated[T, Visibility.SECRET]

ANSWERED = frozenset({Visibility.SHOWN, Visibility.MASKED, Visibility.UNAUDITED})


class Model(BaseModel):
    """Frozen; snake_case in Python, camelCase outside."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", defer_build=True
    )

    @classmethod
    def visibility(cls, name: str) -> Visibility | None:
        """Return who sees a field; None: nobody."""
        return next((mark for mark in cls.model_fields[name].metadata if isinstance(mark, Visibility)), None)

    @classmethod
    def from_entity(cls, entity: Entity, **more: object) -> Self:
        """Return the model with the attributes that it shares with `entity`, and `more`."""
        return cls.model_validate(
            {name: getattr(entity, name) for name in cls.model_fields if hasattr(entity, name)} | more
        )

    def to_json(self, visible: frozenset[Visibility] = ANSWERED) -> dict[str, Any]:
        """Return the visible fields with amounts as numbers; a None that is the default is left out."""
        return {
            field.alias or name: as_json(value, visible)
            for name, field in fields_with(type(self), visible).items()
            if (value := getattr(self, name)) is not None or field.is_required()
        }

    def with_changes(self, **changes: object) -> Self:
        """A copy with some attributes replaced; unlike `model_copy` it validates nothing and copies nothing else."""
        return self.model_copy(update=changes)


class Entity(Model):
    """A stored entity; attributes that are None are absent from the stored item."""

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Self:
        return cls.model_validate(item)

    def to_item(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_none=True)


class View(Model):
    """An answer with its own fields, all shown."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def visibility(cls, name: str) -> Visibility | None:  # noqa: ARG003 - all are
        return Visibility.SHOWN


class PageView[M](View):
    """One page of a list."""

    next_cursor: str | None
    items: tuple[M, ...]


@cache
def fields_with(model: type[Model], visible: frozenset[Visibility]) -> Mapping[str, FieldInfo]:
    return {name: field for name, field in model.model_fields.items() if model.visibility(name) in visible}


def as_json(value: Any, visible: frozenset[Visibility] = ANSWERED) -> Any:
    """Return a value for JSON; of models, only visible fields."""
    if isinstance(value, Model):
        return value.to_json(visible)
    if isinstance(value, Decimal):
        return json_number(value)
    if isinstance(value, Mapping):
        return {name: as_json(one, visible) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one, visible) for one in value]
    return value
