"""Operators set up the networks that post conversions to us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from ricochet.dynamodb.paging import Page
from ricochet.errors import ChangedMeanwhileError, NetworkExistsError, NetworkNotFoundError
from ricochet.intake import presets
from ricochet.intake.network import CreditBy, Network
from ricochet.intake.networks_table import NetworksTable
from ricochet.intake.preset import KNOWN
from ricochet.values import ids, times
from ricochet.values.change import Audit, Change
from ricochet.values.entity import Model, PageView, Shown
from ricochet.values.inputs import Cidr, Name, RowId, as_api_names, ignored_fields, validate
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Price
from ricochet.values.statuses import Status
from ricochet.values.times import Moment

GRACE_HOURS = 72

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]

SharedSecret = Annotated[str, StringConstraints(min_length=1, max_length=256)]

Parameter = Annotated[str, StringConstraints(min_length=1, max_length=64)]

StatusName = Annotated[str, StringConstraints(min_length=1, max_length=64, to_lower=True, strip_whitespace=True)]


class NetworkInput(Model):
    """The fields of a network that an operator may set; a PATCH changes only those that it contains."""

    network_id: RowId | None = None
    name: Name
    preset: str = "generic"
    unique_key: Key | None = None
    secret: SharedSecret | None = None
    affiliate: Annotated[str, StringConstraints(max_length=64)] | None = None
    allowed_cidrs: Annotated[tuple[Cidr, ...], Field(max_length=50)] = ()
    param_map: dict[str, tuple[Parameter, ...]] = {}
    status_map: dict[StatusName, Status] = {}
    default_status: Status | None = None
    reward_rate: Price | None = None
    credit_by: CreditBy = CreditBy.CLICK
    require_known_click: bool = False
    allow_reapproval: bool = False
    status: Lifecycle = Lifecycle.ACTIVE
    rotate_secret: bool = False
    rotate_key: bool = False
    grace_hours: Annotated[int, Field(ge=0, le=24 * 30)] = GRACE_HOURS

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str) -> str:
        if name not in presets.names():
            raise ValueError(f"{name} is no preset; there are {', '.join(presets.names())}")
        return name

    @field_validator("param_map", mode="before")
    @classmethod
    def _lists(cls, given: object) -> object:
        """One parameter may be given without a list around it."""
        if not isinstance(given, dict):
            return given
        return {name: [theirs] if isinstance(theirs, str) else theirs for name, theirs in given.items()}

    @field_validator("param_map")
    @classmethod
    def _known_names(cls, given: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        unknown = sorted(set(given) - KNOWN)
        if unknown:
            raise ValueError(f"{unknown[0]} is none of ours; there are {', '.join(sorted(KNOWN))}")
        return given

    @model_validator(mode="after")
    def _vouched_for(self) -> Self:
        preset = presets.load(self.preset)
        if preset.needs_vouching and not self.allowed_cidrs and self.credit_by is not CreditBy.CLICK:
            raise ValueError(f"signatures of {preset.title} leave out the amount: give allowedCidrs, or creditBy click")
        return self


class NetworkView(Network):
    """A network as operators see it."""

    postback_url: Shown[str]  # to be pasted at the network

    @classmethod
    def of(cls, network: Network, base_url: str, **more: object) -> Self:
        return cls.from_entity(network, postback_url=postback_url(network, base_url), **more)


class SavedNetwork(NetworkView):
    secret: Shown[str | None] = None  # if it is new

    @classmethod
    def of_change(cls, change: Change[Network], base_url: str) -> Self:
        return cls.of(change.after, base_url, secret=change.secret)


class Networks(PageView[NetworkView]):
    pass


def postback_url(network: Network, base_url: str) -> str:
    """Return the URL to enter at the network: the configured parameter names with the network's own macros."""
    preset = presets.load(network.preset)
    query = preset.paste
    for name, own in network.param_map.items():
        for theirs in preset.fields.get(name, ()):
            query = "&".join(
                own[0] + pair.removeprefix(theirs) if pair.startswith(f"{theirs}=") else pair
                for pair in query.split("&")
            )
    return f"{base_url}/postback/{network.unique_key}" + (f"?{query}" if query else "")


@dataclass(frozen=True)
class ManageNetworks:
    networks: NetworksTable
    audit: Audit
    clock: Callable[[], Moment] = times.now

    def create(self, fields: Mapping[str, Any]) -> Change[Network]:
        """Create a network; its key and its secret are generated unless they are given.

        Raise InvalidRequestError, or NetworkExistsError if the id or the key is taken.
        """
        given, moment = validate(fields, NetworkInput), self.clock()
        network_id = given.network_id or ids.new_id("net")
        secret = given.secret or (presets.load(given.preset).new_secret() if _needs_secret(given) else None)
        network = _network(given, network_id, given.unique_key or token_urlsafe(24), secret, moment, moment)
        if self.networks.by_id(network_id) is not None or not self.networks.create(network):
            raise NetworkExistsError
        change = Change(None, network, secret, ignored_fields(fields, NetworkInput))
        return self.audit.record_change("network.created", network_id, change)

    def get(self, network_id: str) -> Network:
        network = self.networks.by_id(network_id)
        if network is None:
            raise NetworkNotFoundError("there is no such network")
        return network

    def update(self, network_id: str, patch: Mapping[str, Any]) -> Change[Network]:
        """Return the network with `patch` applied, and its secret if that is new.

        A new key leaves the old one working for `graceHours`. NetworkNotFoundError; InvalidRequestError;
        ChangedMeanwhileError if it was changed at the same time.
        """
        before, fields = self.get(network_id), as_api_names(patch, NetworkInput)
        given = validate(before.to_item() | fields, NetworkInput)
        missing = before.secret is None and _needs_secret(given)
        generated = presets.load(given.preset).new_secret() if given.rotate_secret or missing else None
        secret = fields.get("secret") or generated
        wants_key = given.rotate_key or given.unique_key not in (None, before.unique_key)
        key = (fields.get("uniqueKey") or token_urlsafe(24)) if wants_key else before.unique_key
        after = _network(given, network_id, key, secret or before.secret, before.created_at, self.clock())
        after = after.with_changes(revision=before.revision + 1)
        self._replace(before, after, given.grace_hours)
        change = Change(before, after, secret, ignored_fields(patch, NetworkInput))
        return self.audit.record_change("network.updated", network_id, change)

    def _replace(self, before: Network, after: Network, grace_hours: int) -> None:
        if after.unique_key == before.unique_key:
            if not self.networks.replace(after, before.revision):
                raise ChangedMeanwhileError("the network was changed at the same time; read it again")
            return
        grace_until = times.plus(after.updated_at, hours=grace_hours)
        if not self.networks.rotate(before, after, grace_until, times.epoch_seconds(grace_until)):
            raise ChangedMeanwhileError("the network was changed at the same time, or the key is taken")

    def list_page(self, limit: int, cursor: str | None) -> Page[Network]:
        return self.networks.list_page(limit, cursor)


def _needs_secret(given: NetworkInput) -> bool:
    return given.rotate_secret or presets.load(given.preset).needs_secret


def _network(
    given: NetworkInput, network_id: str, unique_key: str, secret: str | None, created_at: Moment, moment: Moment
) -> Network:
    fields = given.model_dump(exclude={"rotate_secret", "rotate_key", "grace_hours"})
    return Network(
        **fields
        | {
            "network_id": network_id,
            "unique_key": unique_key,
            "secret": secret,
            "created_at": created_at,
            "updated_at": moment,
        }
    )
