"""`ops products`, `partners` and `networks`: what operators set up, through the use cases of the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from ops import journal, render
from ops.listing import every
from ops.stacks import OperatorError, Stack
from ops.target import Json, Target, Yes, stack_of
from ricochet.clicks import manage_products
from ricochet.clicks.manage_products import ManageProducts, ProductInput
from ricochet.delivery.partners import manage_partners
from ricochet.delivery.partners.manage_partners import ManagePartners, PartnerInput
from ricochet.delivery.settings import PartnerSettings
from ricochet.intake import manage_networks
from ricochet.intake.manage_networks import ManageNetworks, NetworkInput
from ricochet.values.entity import Entity
from ricochet.values.inputs import as_api_names, ignored_fields
from ricochet.values.lifecycle import Lifecycle

Resource = dict[str, Any]
Id = Annotated[str, typer.Argument(metavar="ID")]


@dataclass(frozen=True)
class Saved:
    """What a change made of a resource, and it as it is shown; secrets that are shown this once; what to mind, and a
    command that helps with it.
    """

    before: Entity
    after: Entity
    resource: Resource
    secrets: Resource
    warnings: Sequence[str] = ()
    command: str = ""


@dataclass(frozen=True)
class Kind:
    """One kind of resource: how to read and change it, and what a list of them shows."""

    name: str
    input: type[BaseModel]
    columns: tuple[str, ...]
    list: Callable[[Stack], Iterator[Resource]]
    get: Callable[[Stack, str], Resource]
    update: Callable[[Stack, str, Resource], Saved]


def _products(stack: Stack) -> ManageProducts:
    return ManageProducts(stack.products, stack.parameters["DefaultCurrency"])


def _update_product(stack: Stack, product_id: str, patch: Resource) -> Saved:
    manage = _products(stack)
    before = manage.get(product_id)
    product, token = manage.update(before, patch)
    secrets = {"postbackToken": token} if token else {}
    return Saved(before, product, manage_products.shown(product), secrets, manage_products.warnings(product))


def _partners(stack: Stack) -> ManagePartners:
    return ManagePartners.from_settings(stack.dynamodb, stack.settings(PartnerSettings))


def _update_partner(stack: Stack, partner_id: str, patch: Resource) -> Saved:
    manage = _partners(stack)
    before = manage.get(partner_id)
    saved = manage.update(before, patch)
    once = {"signingSecret": saved.secret} if saved.secret else {}
    shown, gap = manage_partners.shown(saved.partner), saved.missed
    if gap is None:
        return Saved(before, saved.partner, shown, once, saved.warnings)
    missed = f"it was paused from {gap.since} to {gap.until}; what it missed can be replayed"
    command = f"replay deliveries --partner {partner_id} --state missing --from {gap.since} --to {gap.until}"
    return Saved(before, saved.partner, shown, once, [*saved.warnings, missed], command)


def _networks(stack: Stack) -> ManageNetworks:
    return ManageNetworks(stack.networks)


def _update_network(stack: Stack, network_id: str, patch: Resource) -> Saved:
    manage = _networks(stack)
    before = manage.get(network_id)
    network, secret = manage.update(before, patch)
    once = {"secret": secret} if secret else {}
    return Saved(before, network, manage_networks.shown(network, stack.api_url), once)


KINDS = (
    Kind(
        "products",
        ProductInput,
        ("productId", "name", "status", "earnUpTo", "currency", "approval"),
        lambda stack: map(manage_products.shown, every(lambda *page: _products(stack).list_page(None, *page))),
        lambda stack, product_id: manage_products.shown(_products(stack).get(product_id)),
        _update_product,
    ),
    Kind(
        "partners",
        PartnerInput,
        ("partnerId", "name", "status", "events", "method", "postbackUrl"),
        lambda stack: map(manage_partners.shown, every(lambda *page: _partners(stack).list_page(None, *page))),
        lambda stack, partner_id: manage_partners.shown(_partners(stack).get(partner_id)),
        _update_partner,
    ),
    Kind(
        "networks",
        NetworkInput,
        ("networkId", "name", "status", "preset", "creditBy", "postbackUrl"),
        lambda stack: (manage_networks.shown(one, stack.api_url) for one in every(_networks(stack).list_page)),
        lambda stack, network_id: manage_networks.shown(_networks(stack).get(network_id), stack.api_url),
        _update_network,
    ),
)


def group(kind: Kind) -> typer.Typer:
    """The commands `list`, `show` and `edit` of one kind."""
    commands = typer.Typer(no_args_is_help=True, help=f"{kind.name.capitalize()}: list, show, edit.")

    @commands.command("list", help=f"All {kind.name}.")
    def list_all(
        ctx: typer.Context,
        *,
        status: Annotated[Lifecycle | None, typer.Option(help="only those")] = None,
        as_json: Json = False,
    ) -> None:
        items = [item for item in kind.list(stack_of(ctx)) if status in (None, item["status"])]
        if as_json:
            render.show_json({"items": items})
        else:
            rows = ([render.plain(item.get(name, "")) for name in kind.columns] for item in items)
            render.table(kind.columns, rows, f"no {kind.name}")

    @commands.command("show", help="Everything about one of them but its secrets.")
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
        """Changes fields, checked as the API checks them: `status=paused name="A new name"`.

        Lists and objects are JSON: `events='["Purchase"]'`; null takes a field's value away.
        """
        _edit(kind, ctx.obj, resource_id, parse_changes(changes, kind.input), yes=yes, as_json=as_json)

    return commands


def _edit(kind: Kind, target: Target, resource_id: str, patch: Resource, *, yes: bool, as_json: bool) -> None:
    before = kind.get(target.stack, resource_id)
    if not yes:
        _show_changes(difference(before, before | patch), stderr=as_json)
        render.confirm(f"Change {resource_id}?", stderr=as_json)
    with journal.opened(target.stack) as log:
        saved = kind.update(target.stack, resource_id, patch)
        log.changed(f"{kind.name.removesuffix('s')}.updated", resource_id, saved.before, saved.after)
        changed = difference(before, saved.resource)
        if as_json:
            shown = {"resource": saved.resource | saved.secrets, "changed": [name for name, *_ in changed]}
            render.show_json(shown | {"warnings": list(saved.warnings)})
        else:
            _show_saved(saved, changed, target)


def _show_saved(saved: Saved, changed: Sequence[tuple[str, str, str]], target: Target) -> None:
    _show_changes(changed)
    for name, secret in saved.secrets.items():
        render.print_line(f"{name} (shown this once): {secret}")
    for warning in saved.warnings:
        render.warn(warning)
    if saved.command:
        render.print_line(target.command(saved.command))


def parse_changes(changes: Iterable[str], model: type[BaseModel]) -> Resource:
    """A patch as the API would get it; OperatorError for what is no `field=value` or no field."""
    pairs = [change.partition("=") for change in changes]
    malformed = [name for name, equals, _ in pairs if not equals]
    if malformed:
        raise OperatorError(f"{malformed[0]} is not FIELD=VALUE")
    patch = {name: _value(name, text) for name, _, text in pairs}
    unknown = ignored_fields(patch, model)
    if unknown:
        raise OperatorError(unknown[0].replace(" and was ignored", ""))
    return as_api_names(patch, model)


def _value(name: str, text: str) -> Any:
    """JSON where it looks like some, with exact numbers; else the text, of which the model makes what it wants."""
    if text != "null" and not text.startswith(("[", "{", '"')):
        return text
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise OperatorError(f"{name}: {error}; lists and objects are written as JSON") from error


def difference(before: Resource, after: Resource) -> list[tuple[str, str, str]]:
    """(field, before, after) of every field that is another now."""

    def written(state: Resource, name: str) -> str:
        return render.plain(state[name]) if name in state else ""

    return [
        (name, written(before, name), written(after, name))
        for name in sorted({*before, *after} - {"updatedAt"})
        if before.get(name) != after.get(name)
    ]


def _show_changes(changed: Sequence[tuple[str, str, str]], *, stderr: bool = False) -> None:
    render.table(("field", "before", "after"), changed, "nothing changes", stderr=stderr)
