"""The base of everything stored: snake_case in Python, camelCase in tables and JSON."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Entity(BaseModel):
    """Frozen; attributes that are None are absent from the stored item."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore", defer_build=True
    )

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Self:
        return cls.model_validate(item)

    def to_item(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_none=True)

    def to_json(self, *, leave_out: set[str] | None = None, include_only: set[str] | None = None) -> dict[str, Any]:
        """What the API shows: camelCase, amounts as JSON numbers, absent values left out."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json", exclude=leave_out, include=include_only)

    def with_changes(self, **changes: object) -> Self:
        """A copy with some attributes set anew; unlike `model_copy` it validates nothing and copies nothing else."""
        return self.model_copy(update=changes)
