"""A request as it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Method(StrEnum):
    GET = "GET"
    POST = "POST"


@dataclass(frozen=True)
class Outbound:
    method: Method
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
