"""Operators set up the networks that post conversions to us."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from ricochet.dynamodb.paging import Page
from ricochet.errors import ChangedMeanwhileError, NetworkExistsError, NetworkNotFoundError
from ricochet.intake import presets
from ricochet.intake.network import CreditBy, Network
from ricochet.intake.networks_table import NetworksTable
from ricochet.intake.preset import KNOWN
from ricochet.values import ids, times
from ricochet.values.entity import Entity
from ricochet.values.inputs import Cidr, Name, RowId, as_api_names, validate
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Price
from ricochet.values.statuses import Status

GRACE_HOURS = 72

HIDDEN = {"secret", "revision", "successor", "grace_until", "ttl"}

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]

Secret = Annotated[str, StringConstraints(min_length=1, max_length=256)]

Parameter = Annotated[str, StringConstraints(min_length=1, max_length=64)]

Word = Annotated[str, StringConstraints(min_length=1, max_length=64, to_lower=True, strip_whitespace=True)]


class NetworkInput(Entity):
    """Everything an operator may say about a network; a PATCH says it over what is there."""

    network_id: RowId | None = None
    name: Name
    preset: str = "generic"
    unique_key: Key | None = None
    secret: Secret | None = None
    affiliate: Annotated[str, StringConstraints(max_length=64)] | None = None
    allowed_cidrs: Annotated[tuple[Cidr, ...], Field(max_length=50)] = ()
    param_map: dict[str, tuple[Parameter, ...]] = {}
    status_map: dict[Word, Status] = {}
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


def shown(network: Network, base_url: str) -> dict[str, Any]:
    """A network as operators see it: its secret is not in it; `postbackUrl` is ready to paste."""
    return network.to_json(leave_out=HIDDEN) | {"postbackUrl": postback_url(network, base_url)}


def postback_url(network: Network, base_url: str) -> str:
    """The URL with the network's own macros at their parameters, the configured names instead of the preset's."""
    preset = presets.load(network.preset)
    query = preset.paste
    for name, own in network.param_map.items():
        for theirs in preset.fields.get(name, ()):
            query = "&".join(
                own[0] + pair.removeprefix(theirs) if pair.startswith(f"{theirs}=") else pair
                for pair in query.split("&")
            )
    return f"{base_url}/postback/{network.unique_key}" + (f"?{query}" if query else "")


class ManageNetworks:
    def __init__(self, networks: NetworksTable, clock: Callable[[], str] = times.now) -> None:
        self._networks = networks
        self._clock = clock

    def create(self, given: NetworkInput) -> Network:
        """The network with its key and its secret, which are generated unless they are given."""
        network_id = given.network_id or ids.new_id("net")
        moment = self._clock()
        secret = given.secret or (_new_secret(given.preset) if _needs_secret(given) else None)
        network = _network(given, network_id, given.unique_key or _new_key(), secret, moment, moment)
        if self._networks.by_id(network_id) is not None or not self._networks.create(network):
            raise NetworkExistsError
        return network

    def get(self, network_id: str) -> Network:
        network = self._networks.by_id(network_id)
        if network is None:
            raise NetworkNotFoundError("there is no such network")
        return network

    def update(self, before: Network, patch: dict[str, Any]) -> tuple[Network, str | None]:
        """The network with `patch` said over it, and its secret if that is new.

        A new key leaves the old one working for `graceHours`. ChangedMeanwhileError if the network is no longer as it
        was `before`.
        """
        patch = as_api_names(patch, NetworkInput)
        given = validate(before.to_item() | patch, NetworkInput)
        missing = before.secret is None and _needs_secret(given)
        secret = patch.get("secret") or (_new_secret(given.preset) if given.rotate_secret or missing else None)
        wants_key = given.rotate_key or given.unique_key not in (None, before.unique_key)
        key = (patch.get("uniqueKey") or _new_key()) if wants_key else before.unique_key
        moment = self._clock()
        network_id = before.network_id or ""
        after = _network(given, network_id, key, secret or before.secret, before.created_at, moment)
        after = after.with_changes(revision=before.revision + 1)
        if key == before.unique_key:
            if not self._networks.replace(after, before.revision):
                raise ChangedMeanwhileError("the network was changed meanwhile; read it again")
        else:
            grace_until = times.plus(moment, hours=given.grace_hours)
            ttl = times.epoch_seconds(grace_until)
            if not self._networks.rotate(before, after, grace_until, ttl):
                raise ChangedMeanwhileError("the network was changed meanwhile, or the key is taken")
        return after, secret

    def list_page(self, limit: int, cursor: str | None) -> Page[Network]:
        return self._networks.list_page(limit, cursor)


def _needs_secret(given: NetworkInput) -> bool:
    return given.rotate_secret or presets.load(given.preset).needs_secret


def _new_secret(preset: str) -> str:
    """Random; ClickBank takes at most 16 capitals and digits."""
    if preset == "clickbank":
        return "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(16))
    return secrets.token_urlsafe(24)


def _new_key() -> str:
    return secrets.token_urlsafe(24)


def _network(
    given: NetworkInput, network_id: str, unique_key: str, secret: str | None, created_at: str, moment: str
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
