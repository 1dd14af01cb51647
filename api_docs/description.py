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
    """Who may call an operation; all but the first need a token."""

    ANYONE = "anyone"
    USER = "user"
    ADMIN = "admins"
    PARTNER = "partners"

    @property
    def group(self) -> str | None:
        """The group that the function requires."""
        return self.value if self in (Caller.ADMIN, Caller.PARTNER) else None


class Tag(StrEnum):
    """The headings of the description, in their order."""

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
    Tag.APPS: "Calls of an app on behalf of its signed-in user.",
    Tag.POSTBACKS: "Calls of browsers that open a click, and of advertisers and networks that report conversions.",
    Tag.PRODUCTS: "Operators manage the products that users can earn from.",
    Tag.PARTNERS: "Operators manage the partners that receive conversions.",
    Tag.NETWORKS: "Operators manage the networks that report conversions.",
    Tag.LEDGER: "Operators read conversions and earnings, and decide those that are held for review.",
    Tag.RECEIPTS: "Operators read every postback as it arrived, with its outcome.",
    Tag.DELIVERIES: "Operators read what partners received, and replay deliveries.",
    Tag.PORTAL: "Calls of a partner for itself.",
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
    is_patch: bool = False  # all fields are optional; those left out stay unchanged
    is_optional: bool = False


@dataclass(frozen=True)
class Success:
    """An answer in our envelope."""

    message: str
    data: type[BaseModel]
    example: Json
    status: int = 200
    warnings: tuple[str, ...] = ()  # examples, if the answer may have warnings


@dataclass(frozen=True)
class Operation:
    """One route and its possible answers; `route` is written as in the template.

    `answers` adds those of API Gateway, failures on our side, the required group, and unknown ids in the path.
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
