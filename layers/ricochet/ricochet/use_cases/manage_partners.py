"""Operators set up who is told of conversions, and how."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from ricochet.errors import (
    ChangedMeanwhileError,
    CompositionError,
    InvalidRequestError,
    PartnerExistsError,
    PartnerNotFoundError,
    PartnerUrlNotAllowedError,
    TargetRefusedError,
    TaskUrlNotAllowedError,
)
from ricochet.models import ids, times
from ricochet.models.entity import Entity
from ricochet.models.partner import ALL_EVENTS, ContentType, Filters, Method, Partner
from ricochet.models.product import Lifecycle
from ricochet.models.statuses import LEAD_WORDS, Status
from ricochet.models.validation import validate
from ricochet.rules import macros, signing
from ricochet.rules.addresses import AllowedTargets, literal_address, may_connect
from ricochet.rules.task_urls import split_task_url
from ricochet.sender.resolve import vetted_addresses
from ricochet.tables.catalog import Partners
from ricochet.tables.paging import Page
from ricochet.use_cases.manage_products import Name, RowId

MAX_TEMPLATE = 8192
BOTH_SECRETS_HOURS = 24
"""How long the secret before a rotation goes on signing beside the new one."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MACRO_IN_HOST = re.compile(r"[^/?#]*(//[^/?#]*)?[{}]")
_SAMPLE = dict.fromkeys(macros.NAMES, 'a "word"') | dict.fromkeys(macros.NUMBERS, "1.5")
_EVENTS = {word.lower(): word for word in ALL_EVENTS}
Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class FiltersInput(Entity):
    offer_ids: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    product_ids: Annotated[tuple[Id, ...], Field(max_length=100)] = ()


class PartnerInput(Entity):
    """Everything an operator may say about a partner; a PATCH says it over what is there."""

    partner_id: RowId | None = None
    name: Name
    postback_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    method: Method = Method.GET
    content_type: ContentType = ContentType.JSON
    body_template: Annotated[str, StringConstraints(max_length=MAX_TEMPLATE)] | None = None
    events: Annotated[tuple[str, ...], Field(min_length=1)] = ALL_EVENTS
    status_words: dict[str, Annotated[str, StringConstraints(min_length=1, max_length=64)]] = {}
    filters: FiltersInput = FiltersInput()
    status: Lifecycle = Lifecycle.ACTIVE
    rotate_signing_secret: bool = False

    @field_validator("events")
    @classmethod
    def _known_events(cls, events: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [event for event in events if event.lower() not in _EVENTS]
        if unknown:
            raise ValueError(f"{unknown[0]} is no event; there are {', '.join(ALL_EVENTS)}")
        return tuple(dict.fromkeys(_EVENTS[event.lower()] for event in events))

    @field_validator("status_words")
    @classmethod
    def _known_statuses(cls, words: dict[str, str]) -> dict[str, str]:
        """Keys may be lead words (`Purchase`) or canonical ones (`approved`); the latter are kept."""
        canonical: dict[str, str] = {}
        for name, word in words.items():
            meant = [status for status in Status if name.lower() in (status, LEAD_WORDS[status].lower())]
            if not meant:
                raise ValueError(f"{name} is no status; there are {', '.join(Status)} and {', '.join(ALL_EVENTS)}")
            exact = name.lower() in set(Status)
            canonical |= {status: word for status in meant if exact or status not in canonical}
        return canonical

    @field_validator("postback_url", "body_template")
    @classmethod
    def _known_macros(cls, template: str | None) -> str | None:
        complaints = macros.unknown_macros(template or "")
        if complaints:
            raise ValueError("; ".join(complaints))
        return template


def shown(partner: Partner) -> dict[str, Any]:
    """A partner as operators see it: its secrets are not in it."""
    return partner.to_json(leave_out={"signing_secret", "previous_secret", "revision"})


class ManagePartners:
    def __init__(self, partners: Partners, allowed: AllowedTargets, clock: Callable[[], str] = times.now) -> None:
        self._partners = partners
        self._allowed = allowed
        self._clock = clock

    def create(self, given: PartnerInput) -> tuple[Partner, str, list[str]]:
        """The partner, its signing secret (the only time it is shown), and warnings."""
        warnings = self._check(given)
        moment, secret = self._clock(), signing.new_secret()
        partner = Partner(
            **_settings(given),
            partner_id=given.partner_id or ids.new_id("part"),
            signing_secret=secret,
            created_at=moment,
            updated_at=moment,
        )
        if not self._partners.create(partner):
            raise PartnerExistsError(f"partner {partner.partner_id} exists already")
        return partner, secret, warnings

    def get(self, partner_id: str) -> Partner:
        partner = self._partners.get(partner_id)
        if partner is None:
            raise PartnerNotFoundError("there is no such partner")
        return partner

    def update(self, partner_id: str, patch: dict[str, Any]) -> tuple[Partner, str | None, list[str]]:
        """The partner with `patch` said over it, a new secret if one was asked for, and warnings.

        The secret until now goes on signing beside a new one for a while; the one before it ends with that.
        """
        before = self.get(partner_id)
        given = validate(before.to_item() | patch, PartnerInput)
        warnings = self._check(given)
        moment, secret = self._clock(), signing.new_secret() if given.rotate_signing_secret else None
        after = before.with_changes(**_settings(given), revision=before.revision + 1, updated_at=moment)
        if secret is not None:
            until = times.plus(moment, hours=BOTH_SECRETS_HOURS)
            after = after.with_changes(
                signing_secret=secret, previous_secret=before.signing_secret, previous_secret_until=until
            )
        if not self._partners.replace(after, before.revision):
            raise ChangedMeanwhileError("the partner was changed meanwhile; read it again")
        return after, secret, warnings

    def list_page(self, status: Lifecycle | None, limit: int, cursor: str | None) -> Page[Partner]:
        return self._partners.list_page(status, limit, cursor)

    def _check(self, given: PartnerInput) -> list[str]:
        check_body_template(given)
        return check_postback_url(given.postback_url, self._allowed)


def check_postback_url(url: str, allowed: AllowedTargets) -> list[str]:
    """Warnings; PartnerUrlNotAllowedError for a URL that deliveries would refuse."""
    if _MACRO_IN_HOST.match(url):
        raise PartnerUrlNotAllowedError("postbackUrl: macros belong in the path and the query, not in the host")
    try:
        parts = split_task_url(url)
    except TaskUrlNotAllowedError as error:
        raise PartnerUrlNotAllowedError(error.message.replace("taskUrl", "postbackUrl")) from error
    try:
        macros.fill_url(url, _SAMPLE)
    except CompositionError as error:
        raise PartnerUrlNotAllowedError(f"postbackUrl: {error.message}") from error
    host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
    literal = literal_address(host)
    if literal is not None:
        if not may_connect(literal, port, host, allowed):
            raise PartnerUrlNotAllowedError(f"postbackUrl leads to {literal}:{port}, which is not a public address")
        return []
    try:
        vetted_addresses(host, port, allowed)
    except TargetRefusedError as error:
        raise PartnerUrlNotAllowedError(f"postbackUrl: {error.message}") from error
    except (socket.gaierror, UnicodeError):
        return [f"{host} has no address at the moment"]
    return []


def check_body_template(given: PartnerInput) -> None:
    """InvalidRequestError for a JSON template that would not be JSON once it is filled in."""
    if given.body_template is None or given.content_type is not ContentType.JSON:
        return
    try:
        macros.fill_json(given.body_template, _SAMPLE)
    except CompositionError as error:
        detail = f"bodyTemplate: {error.message}"
        raise InvalidRequestError(detail, [detail]) from error


def _settings(given: PartnerInput) -> dict[str, Any]:
    fields = given.model_dump(exclude={"partner_id", "rotate_signing_secret"})
    return fields | {"filters": Filters(**given.filters.model_dump())}
