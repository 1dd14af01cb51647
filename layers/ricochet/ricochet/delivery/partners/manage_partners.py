"""Operators set up who receives conversions, and how."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from ricochet.clicks.tags import Tags
from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.partners import macros
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner import ALL_EVENTS, ContentType, Filters, Partner
from ricochet.delivery.partners.partner_setups import PartnerSetups
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.dynamodb.paging import Page
from ricochet.errors import (
    CompositionError,
    InvalidRequestError,
    PartnerNotFoundError,
    PartnerUrlNotAllowedError,
    TargetRefusedError,
)
from ricochet.http.addresses import literal_address, may_connect
from ricochet.http.outbound import Method
from ricochet.http.plain_url import DEFAULT_PORTS, plain_url
from ricochet.http.resolver import Resolver
from ricochet.values import ids, signing, times
from ricochet.values.change import Audit, Change
from ricochet.values.entity import Model, PageView, Shown, View
from ricochet.values.inputs import Name, RowId, as_api_names, ignored_fields, validate
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Price
from ricochet.values.statuses import LEAD_WORDS, Status
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.delivery.settings import PartnerSettings

MAX_TEMPLATE = 8192

MAX_FILTERS = 4096  # in all, as JSON: a partner's row keeps what it wanted before, too

BOTH_SECRETS_HOURS = 24
"""How long the secret before a rotation goes on signing beside the new one."""

PAUSED_BY_OPERATOR = "an operator paused it"

LOOKUP_SECONDS = 3.0

_MACRO_IN_HOST = re.compile(r"[^/?#]*(//[^/?#]*)?[{}]")

_SAMPLE = dict.fromkeys(macros.NAMES, 'a "word"') | dict.fromkeys(macros.NUMBERS, "1.5")

_EVENTS = {event.lower(): event for event in ALL_EVENTS}

Id = Annotated[str, StringConstraints(min_length=1, max_length=128)]

Ids = Annotated[tuple[Id, ...], Field(max_length=100)]

# A country says nothing about whose click it is.
TAGS = tuple(name for name in Tags.model_fields if name != "country")


class FiltersInput(Model):
    offer_ids: Ids = ()
    product_ids: Ids = ()
    network_ids: Ids = ()
    own_clicks: dict[str, Annotated[tuple[Id, ...], Field(min_length=1, max_length=100)]] = {}

    @model_validator(mode="after")
    def _not_too_long(self) -> Self:
        if len(self.model_dump_json()) > MAX_FILTERS:
            raise ValueError(f"filters are {MAX_FILTERS} characters at most")
        return self

    @field_validator("own_clicks")
    @classmethod
    def _known_tags(cls, tags: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        unknown = [tag for tag in tags if tag not in TAGS]
        if unknown:
            raise ValueError(f"{unknown[0]} is no tag of a click; there are {', '.join(TAGS)}")
        return tags


class PartnerInput(Model):
    """Everything an operator may set of a partner; a PATCH changes what it names."""

    partner_id: RowId | None = None
    name: Name
    postback_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    method: Method = Method.GET
    content_type: ContentType = ContentType.JSON
    body_template: Annotated[str, StringConstraints(max_length=MAX_TEMPLATE)] | None = None
    events: Annotated[tuple[str, ...], Field(min_length=1)] = ALL_EVENTS
    status_words: dict[str, Annotated[str, StringConstraints(min_length=1, max_length=64)]] = {}
    filters: FiltersInput = FiltersInput()
    max_per_second: Annotated[Price, Field(ge=Decimal("0.01"), le=1000)] | None = None
    reply_updates_status: bool = False
    logins: Annotated[tuple[Id, ...], Field(max_length=20)] = ()
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
    def _known_statuses(cls, names: dict[str, str]) -> dict[str, str]:
        """Keys may be lead words (`Purchase`) or canonical ones (`approved`); the latter are kept."""
        canonical: dict[str, str] = {}
        for name, own_name in names.items():
            meant = [status for status in Status if name.lower() in (status, LEAD_WORDS[status].lower())]
            if not meant:
                raise ValueError(f"{name} is no status; there are {', '.join(Status)} and {', '.join(ALL_EVENTS)}")
            exact = name.lower() in set(Status)
            canonical |= {status: own_name for status in meant if exact or status not in canonical}
        return canonical

    @field_validator("postback_url", "body_template")
    @classmethod
    def _known_macros(cls, template: str | None) -> str | None:
        complaints = macros.unknown_macros(template or "")
        if complaints:
            raise ValueError("; ".join(complaints))
        return template


class Gap(View):
    """A time in which a partner was paused: what happened then can be replayed to it."""

    since: Moment
    until: Moment
    replay: str = "POST /api/v1/admin/deliveries/replay"


class SavedPartner(Partner):
    signing_secret: Shown[str | None] = None  # type: ignore[assignment]  # if it is new
    missed: Shown[Gap | None] = None

    @classmethod
    def of_change(cls, change: Change[Partner]) -> Self:
        return cls.from_entity(change.after, signing_secret=change.secret, missed=missed(change))


class Partners(PageView[Partner]):
    pass


@dataclass(frozen=True)
class ManagePartners:
    partners: PartnersTable
    setups: PartnerSetups
    audit: Audit
    resolver: Resolver
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: PartnerSettings, audit: Audit) -> Self:
        partners, users = PartnersTable(client, settings.partners_table), UsersTable(client, settings.users_table)
        setups = PartnerSetups(partners, users, HealthTable(client, settings.health_table))
        return cls(partners, setups, audit, Resolver(settings.allowed_targets))

    def create(self, fields: Mapping[str, Any]) -> Change[Partner]:
        """InvalidRequestError, PartnerUrlNotAllowedError, PartnerExistsError, LoginTakenError: nothing was saved."""
        given = validate(fields, PartnerInput)
        warnings = check(given, self.resolver) + ignored_fields(fields, PartnerInput)
        moment, secret = self.clock(), signing.new_secret()
        partner = Partner(
            **_settings(given),
            partner_id=given.partner_id or ids.new_id("part"),
            signing_secret=secret,
            created_at=moment,
            updated_at=moment,
        ).with_active_periods(moment)
        self.setups.create(partner)
        return self.audit.record_change("partner.created", partner.partner_id, Change(None, partner, secret, warnings))

    def get(self, partner_id: str) -> Partner:
        partner = self.partners.get(partner_id)
        if partner is None:
            raise PartnerNotFoundError
        return partner

    def update(self, partner_id: str, patch: Mapping[str, Any]) -> Change[Partner]:
        """The partner with `patch` applied to it, and a new secret if one was requested.

        PartnerNotFoundError; as `create`; ChangedMeanwhileError if it was changed at the same time.
        """
        before = self.get(partner_id)
        change = patched(before, patch, self.resolver, self.clock())
        change = replace(change, warnings=[*change.warnings, *ignored_fields(patch, PartnerInput)])
        self.setups.replace(change.after, before, forgiving=missed(change) is not None)
        return self.audit.record_change("partner.updated", partner_id, change)

    def list_page(self, status: Lifecycle | None, limit: int, cursor: str | None) -> Page[Partner]:
        return self.partners.list_page(status, limit, cursor)


def missed(change: Change[Any]) -> Gap | None:
    """The pause that the change has ended, if it has."""
    before, after = change.before, change.after
    if not isinstance(before, Partner) or before.status is Lifecycle.ACTIVE or after.status is not Lifecycle.ACTIVE:
        return None
    return Gap(since=before.paused_at or before.updated_at, until=after.updated_at)


def patched(before: Partner, patch: Mapping[str, Any], resolver: Resolver, moment: Moment) -> Change[Partner]:
    """The partner with `patch` applied to it, checked and not saved yet; a new secret if one was requested.

    The secret until now goes on signing beside a new one for a while; the one before it ends with that.
    """
    given = validate(before.to_item() | as_api_names(patch, PartnerInput), PartnerInput)
    warnings = check(given, resolver)
    secret = signing.new_secret() if given.rotate_signing_secret else None
    after = before.with_changes(**_settings(given), revision=before.revision + 1, updated_at=moment)
    if secret is not None:
        until = times.plus(moment, hours=BOTH_SECRETS_HOURS)
        after = after.with_changes(
            signing_secret=secret, previous_secret=before.signing_secret, previous_secret_until=until
        )
    if given.status is not Lifecycle.PAUSED:
        after = after.with_changes(paused_at=None, pause_reason=None)
    elif before.status is not Lifecycle.PAUSED:
        after = after.with_changes(paused_at=moment, pause_reason=PAUSED_BY_OPERATOR)
    return Change(before, after.with_active_periods(moment), secret, warnings)


def check(given: PartnerInput, resolver: Resolver) -> list[str]:
    """Return warnings; raise InvalidRequestError or PartnerUrlNotAllowedError if no delivery could be made with it."""
    check_body_template(given)
    return check_postback_url(given.postback_url, resolver)


def check_postback_url(url: str, resolver: Resolver) -> list[str]:
    """Return warnings; raise PartnerUrlNotAllowedError for a URL that deliveries would refuse.

    Its cause is a TargetRefusedError if it is the host's address that is refused.
    """
    if _MACRO_IN_HOST.match(url):
        raise PartnerUrlNotAllowedError("postbackUrl: macros belong in the path and the query, not in the host")
    try:
        parts = plain_url(url, "postbackUrl")
    except ValueError as error:
        raise PartnerUrlNotAllowedError(str(error)) from error
    try:
        macros.fill_url(url, _SAMPLE)
    except CompositionError as error:
        raise PartnerUrlNotAllowedError(f"postbackUrl: {error.message}") from error
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    literal = literal_address(host)
    if literal is not None:
        if not may_connect(literal, port, host, resolver.allowed):
            raise PartnerUrlNotAllowedError(f"postbackUrl leads to {literal}:{port}, which is not a public address")
        return []
    try:
        resolver.addresses(host, port, LOOKUP_SECONDS)
    except TargetRefusedError as error:
        raise PartnerUrlNotAllowedError(f"postbackUrl: {error.message}") from error
    except (socket.gaierror, UnicodeError, TimeoutError):
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
