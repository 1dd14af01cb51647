"""The classes that describe operations; `document` makes OpenAPI of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ricochet.dynamodb.paging import DEFAULT_LIMIT, MAX_LIMIT
from ricochet.errors import (
    BodyTooLargeError,
    InvalidBodyError,
    InvalidCursorError,
    InvalidLimitError,
    InvalidRequestError,
    RicochetError,
)
from ricochet.values.entity import Model
from ricochet.values.lifecycle import Lifecycle

Json = dict[str, Any]
Errors = tuple[type[RicochetError], ...]

JSON_BODY: Errors = (InvalidBodyError, InvalidRequestError, BodyTooLargeError)
"""Errors of a function that reads a JSON object."""
PAGE: Errors = (InvalidLimitError, InvalidCursorError)
"""Errors of a listing."""


class Caller(StrEnum):
    """Who may call; all but the first need a token."""

    ANYONE = "anyone"
    USER = "user"
    ADMIN = "admins"
    PARTNER = "partners"

    @property
    def group(self) -> str | None:
        """The group that the function asks for."""
        return self.value if self in (Caller.ADMIN, Caller.PARTNER) else None


class Tag(StrEnum):
    """Headings, in their order."""

    APPS = "Apps"
    POSTBACKS = "Postbacks"
    PRODUCTS = "Products"
    PARTNERS = "Partners"
    NETWORKS = "Networks"
    LEDGER = "Conversions and earnings"
    RECEIPTS = "Receipts"
    DELIVERIES = "Deliveries"
    PORTAL = "Partner portal"
    DOCUMENTATION = "Documentation"


ABOUT_TAGS = {
    Tag.APPS: "What an app calls for the user whose token it holds.",
    Tag.POSTBACKS: "What opens a click, and what advertisers and networks call to report a conversion.",
    Tag.PRODUCTS: "Operators set up what users can earn from.",
    Tag.PARTNERS: "Operators set up who receives conversions, and how.",
    Tag.NETWORKS: "Operators set up who posts conversions, and how they are understood.",
    Tag.LEDGER: "Operators see what was reported and what waits, and decide.",
    Tag.RECEIPTS: "Operators look at every postback as it arrived and at its outcome.",
    Tag.DELIVERIES: "Operators look at what partners received, and have deliveries tried again.",
    Tag.PORTAL: "What a partner calls for itself.",
    Tag.DOCUMENTATION: "This description.",
}


class PageQuery(Model):
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: str | None = None


class StatusPageQuery(PageQuery):
    status: Lifecycle | None = None


@dataclass(frozen=True)
class Body:
    model: type[BaseModel]
    example: Json
    content_types: tuple[str, ...] = ("application/json",)
    is_patch: bool = False  # all fields are optional, and what is left out stays as it is
    is_optional: bool = False


@dataclass(frozen=True)
class Success:
    """An answer in our envelope."""

    message: str
    data: type[BaseModel]
    example: Json
    status: int = 200
    warnings: tuple[str, ...] = ()  # such as these, if the answer may hold any


@dataclass(frozen=True)
class Operation:
    """One route and what may come of it; `route` is written as in the template.

    What API Gateway answers by itself, failures of our own side, the group that the caller must be in and paths
    that lead nowhere are added by `answers`.
    """

    route: str
    name: str
    tag: Tag
    caller: Caller
    summary: str
    description: str = ""
    query: type[BaseModel] | None = None
    parameters: tuple[Json, ...] = ()  # those that no model describes
    body: Body | None = None
    successes: tuple[Success, ...] = ()
    errors: Errors = ()
    others: Mapping[int, Json] = field(default_factory=dict)  # answers that are not in our envelope

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0].lower()

    @property
    def path(self) -> str:
        return self.route.partition(" ")[2]
