"""Settings of functions from environment variables; a function fails at start if one is missing.

A function's own settings are in its `app.py`; what a use case needs is in its room's `settings.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict


class EnvironmentSettings(BaseModel):
    """Fields are environment variables in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True, defer_build=True)

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> Self:
        """Raise ValidationError naming each variable that is missing or malformed."""
        return cls.model_validate({name.lower(): value for name, value in environment.items()})


class GroupSettings(EnvironmentSettings):
    groups_claim: str
    """The claim of a token that names its groups."""


class PublicUrlSettings(EnvironmentSettings):
    public_base_url: str = ""
    """Empty: the API's own domain."""
