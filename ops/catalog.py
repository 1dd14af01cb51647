"""`ops products`, `partners` and `networks`: list, show and edit them through the use cases of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Protocol

import typer
from pydantic import BaseModel

from ops import journal, render
from ops.journal import Journal
from ops.listing import every
from ops.stacks import OperatorError, Stack
from ops.target import Json, Target, Yes, stack_of
from ricochet.clicks.manage_products import ManageProducts, ProductInput, ProductView
from ricochet.delivery.partners.manage_partners import ManagePartners, PartnerInput, missed
from ricochet.delivery.settings import PartnerSettings
from ricochet.intake.manage_networks import ManageNetworks, NetworkInput, NetworkView
from ricochet.values.change import Audit, Change
from ricochet.values.entity import Entity
from ricochet.values.inputs import as_api_names, unknown_fields
from ricochet.values.lifecycle import Lifecycle

Resource = dict[str, Any]
Id = Annotated[str, typer.Argument(metavar="ID")]


class Manager(Protocol):
    """A use case of the API, by which resources of one kind are read and changed."""

    def get(self, row_id: str, /) -> Any: ...

    def update(self, row_id: str, patch: Resource, /) -> Change[Any]: ...


@dataclass(frozen=True)
class Kind:
    """One kind of resource: how to read and change it, and the columns of its list."""

    name: str
    input: type[BaseModel]
    columns: tuple[str, ...]
    secret: str  # the field in which a new secret is shown once
    manager: Callable[[Stack, Audit], Manager]
    list: Callable[[Stack], Iterator[Entity]]
    view: Callable[[Stack, Any], Entity]

    def get(self, stack: Stack, resource_id: str) -> Resource:
        return self.shown(stack, self.manager(stack, Journal(stack)).get(resource_id))

    def shown(self, stack: Stack, entity: Entity) -> Resource:
        return self.view(stack, entity).to_json()


def _products(stack: Stack, audit: Audit) -> ManageProducts:
    return ManageProducts(stack.products, audit, stack.parameters["DefaultCurrency"])


def _partners(stack: Stack, audit: Audit) -> ManagePartners:
    return ManagePartners.from_settings(stack.dynamodb, stack.settings(PartnerSettings), audit)


def _networks(stack: Stack, audit: Audit) -> ManageNetworks:
    return ManageNetworks(stack.networks, audit)


KINDS = (
    Kind(
        "products",
        ProductInput,
        ("productId", "name", "status", "earnUpTo", "currency", "approval"),
        "postbackToken",
        _products,
        lambda stack: every(lambda *page: stack.products.list_page(None, *page)),
        lambda _, product: ProductView.of(product),
    ),
    Kind(
        "partners",
        PartnerInput,
        ("partnerId", "name", "status", "events", "method", "postbackUrl"),
        "signingSecret",
        _partners,
        lambda stack: every(lambda *page: stack.partners.list_page(None, *page)),
        lambda _, partner: partner,
    ),
    Kind(
        "networks",
        NetworkInput,
        ("networkId", "name", "status", "preset", "creditBy", "postbackUrl"),
        "secret",
        _networks,
        lambda stack: every(stack.networks.list_page),
        lambda stack, network: NetworkView.of(network, stack.api_url),
    ),
)


def group(kind: Kind) -> typer.Typer:
    """The commands `list`, `show` and `edit` of one kind."""
    commands = typer.Typer(no_args_is_help=True, help=f"{kind.name.capitalize()}: list, show, edit.")

    @commands.command("list", help=f"List all {kind.name}.")
    def list_all(
        ctx: typer.Context,
        *,
        status: Annotated[Lifecycle | None, typer.Option(help="only with this status")] = None,
        as_json: Json = False,
    ) -> None:
        stack = stack_of(ctx)
        shown = (kind.shown(stack, one) for one in kind.list(stack))
        items = [item for item in shown if status in (None, item["status"])]
        if as_json:
            render.show_json({"items": items})
        else:
            rows = ([render.plain(item.get(name, "")) for name in kind.columns] for item in items)
            render.table(kind.columns, rows, f"no {kind.name}")

    @commands.command("show", help="Show all fields of one, except its secrets.")
    def show_one(ctx: typer.Context, resource_id: Id, *, as_json: Json = False) -> None:
        render.resource(kind.get(stack_of(ctx), resource_id), as_json=as_json)

    @commands.command("edit")
    def edit_one(
        ctx: typer.Context,
        resource_id: Id,
        changes: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE...")],
        *,
        yes: Yes = False,
        as_json: Json = False,
    ) -> None:
        """Change fields, with the checks of the API: `status=paused name="A new name"`.

        Write lists and objects as JSON: `events='["Purchase"]'`; null clears a field.
        """
        _edit(kind, ctx.obj, resource_id, parse_changes(changes, kind.input), yes=yes, as_json=as_json)

    return commands


def _edit(kind: Kind, target: Target, resource_id: str, patch: Resource, *, yes: bool, as_json: bool) -> None:
    before = kind.get(target.stack, resource_id)
    if not yes:
        _show_changes(difference(before, before | patch), stderr=as_json)
        render.confirm(f"Change {resource_id}?", stderr=as_json)
    with journal.opened(target.stack) as log:
        change = kind.manager(target.stack, log).update(resource_id, patch)
        after, gap = kind.shown(target.stack, change.after), missed(change)
        changed, warnings = difference(before, after), list(change.warnings)
        secret = {kind.secret: change.secret} if change.secret else {}
        if gap:
            warnings.append(f"it was paused from {gap.since} to {gap.until}; what it missed can be replayed")
        if as_json:
            names = [name for name, *_ in changed]
            render.show_json({"resource": after | secret, "changed": names, "warnings": warnings})
            return
        _show_changes(changed)
        for name, value in secret.items():
            render.print_line(f"{name} (shown this once): {value}")
        for warning in warnings:
            render.warn(warning)
        if gap:
            span = f"--from {gap.since} --to {gap.until}"
            render.print_line(target.command(f"replay deliveries --partner {resource_id} --state missing {span}"))


def parse_changes(changes: Iterable[str], model: type[BaseModel]) -> Resource:
    """Return a patch as the API receives it; raise OperatorError if a change is not FIELD=VALUE or names no field."""
    pairs = [change.partition("=") for change in changes]
    malformed = [name for name, equals, _ in pairs if not equals]
    if malformed:
        raise OperatorError(f"{malformed[0]} is not FIELD=VALUE")
    patch = {name: _value(name, text) for name, _, text in pairs}
    for name, hint in unknown_fields(patch, model).items():
        raise OperatorError(f"{name} is not a field{hint}")
    return as_api_names(patch, model)


def _value(name: str, text: str) -> Any:
    """Parse lists, objects, quoted texts and null as JSON, with exact numbers; leave other texts to the model."""
    if text != "null" and not text.startswith(("[", "{", '"')):
        return text
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise OperatorError(f"{name}: {error}; write lists and objects as JSON") from error


def difference(before: Resource, after: Resource) -> list[tuple[str, str, str]]:
    """Return (field, before, after) of every field that differs."""

    def as_text(state: Resource, name: str) -> str:
        return render.plain(state[name]) if name in state else ""

    return [
        (name, as_text(before, name), as_text(after, name))
        for name in sorted({*before, *after} - {"updatedAt"})
        if before.get(name) != after.get(name)
    ]


def _show_changes(changed: Sequence[tuple[str, str, str]], *, stderr: bool = False) -> None:
    render.table(("field", "before", "after"), changed, "nothing changes", stderr=stderr)
