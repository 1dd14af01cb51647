"""Operators set up what users can earn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from ricochet.clicks.product import Approval, AuthMode, Caps, PostbackAuth, Product, hash_token
from ricochet.clicks.products_table import ProductsTable
from ricochet.dynamodb.paging import Page
from ricochet.errors import ChangedMeanwhileError, ProductExistsError, ProductNotFoundError
from ricochet.http.plain_url import host_of, plain_url
from ricochet.values import ids, signing, times
from ricochet.values.change import Audit, Change
from ricochet.values.entity import Model, PageView, Shown
from ricochet.values.inputs import Cidr, Name, RowId, as_api_names, ignored_fields, validate
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.money import Currency, Price
from ricochet.values.statuses import Status
from ricochet.values.times import Moment

MAX_TTL_HOURS = 24 * 90

MAX_HOLD_DAYS = 90

OPEN_AND_AUTO = (
    "anyone who knows a click id, the user included, can post this product's conversions, "
    "and they are credited without a person looking at them"
)


def _task_url(url: str) -> str:
    plain_url(url, "taskUrl")
    return url


def _host(text: str) -> str:
    if host_of(f"https://{text}") != text.lower():
        raise ValueError("must be a host, or host:port where the port is not the scheme's own")
    return text.lower()


TaskUrl = Annotated[str, AfterValidator(_task_url)]

Host = Annotated[str, AfterValidator(_host)]

Cap = Annotated[int, Field(ge=1, le=10**9)]


class AuthInput(Model):
    mode: AuthMode = AuthMode.SECRET
    allowed_cidrs: tuple[Cidr, ...] = ()

    @model_validator(mode="after")
    def _ip_needs_addresses(self) -> Self:
        if self.mode is AuthMode.IP and not self.allowed_cidrs:
            raise ValueError("mode ip needs allowedCidrs")
        return self


class CapsInput(Model):
    """A name that is no cap is refused and not ignored: the operator would believe in it."""

    model_config = ConfigDict(extra="forbid")

    per_user: Cap | None = None
    per_user_per_day: Cap | None = None
    per_day: Cap | None = None
    min_seconds: Annotated[int, Field(ge=1, le=MAX_TTL_HOURS * 3600)] | None = None


class ProductInput(Model):
    """Everything an operator may set of a product; a PATCH changes what it names."""

    product_id: RowId | None = None
    name: Name
    task_url: TaskUrl
    allowed_hosts: Annotated[tuple[Host, ...], Field(max_length=20)] = ()
    earn_up_to: Price
    currency: Currency = ""  # empty: the deployment's default
    click_ttl_hours: Annotated[int, Field(ge=1, le=MAX_TTL_HOURS)] = 24
    postback_auth: AuthInput = AuthInput()
    approval: Approval | None = None
    default_status: Status = Status.APPROVED
    multiple_conversions: bool = False
    referral_rate: Price | None = None
    hold_days: Annotated[int, Field(ge=0, le=MAX_HOLD_DAYS)] = 0
    caps: CapsInput = CapsInput()
    status: Lifecycle = Lifecycle.ACTIVE
    rotate_postback_token: bool = False

    @model_validator(mode="after")
    def _own_host(self) -> Self:
        if self.allowed_hosts and host_of(self.task_url) not in self.allowed_hosts:
            raise ValueError(f"allowedHosts must hold the host of taskUrl, {host_of(self.task_url)}")
        return self

    @field_validator("referral_rate")
    @classmethod
    def _share(cls, rate: Price | None) -> Price | None:
        if rate is not None and rate > 1:
            raise ValueError("is a share: from 0 to 1")
        return rate


class ProductView(Product):
    """A product as operators see it."""

    approval: Shown[Approval]  # the effective one

    @classmethod
    def of(cls, product: Product, **more: object) -> Self:
        return cls.from_entity(product, approval=product.effective_approval, **more)


class SavedProduct(ProductView):
    postback_token: Shown[str | None] = None  # or signing secret, if it is new

    @classmethod
    def of_change(cls, change: Change[Product]) -> Self:
        return cls.of(change.after, postback_token=change.secret)


class Products(PageView[ProductView]):
    pass


@dataclass(frozen=True)
class ManageProducts:
    products: ProductsTable
    audit: Audit
    default_currency: str
    clock: Callable[[], Moment] = times.now

    def create(self, fields: Mapping[str, Any]) -> Change[Product]:
        """InvalidRequestError; ProductExistsError if the id is taken."""
        given, moment = validate(fields, ProductInput), self.clock()
        proof = _new_proof(given.postback_auth.mode)
        product = self._product(given, given.product_id or ids.new_id("prod"), moment, moment)
        product = product.with_changes(**proof.stored)
        if not self.products.create(product):
            raise ProductExistsError(f"product {product.product_id} exists already")
        change = Change(None, product, proof.shown, _warnings(product, fields))
        return self.audit.record_change("product.created", product.product_id, change)

    def get(self, product_id: str) -> Product:
        product = self.products.get(product_id)
        if product is None:
            raise ProductNotFoundError
        return product

    def update(self, product_id: str, patch: Mapping[str, Any]) -> Change[Product]:
        """The product with `patch` applied to it, and a new token or secret if one was requested or needed.

        ProductNotFoundError; InvalidRequestError; ChangedMeanwhileError if it was changed at the same time.
        """
        before, fields = self.get(product_id), as_api_names(patch, ProductInput)
        given = validate(_as_input(before, fields) | fields, ProductInput)
        mode = given.postback_auth.mode
        proof = _Proof({"postback_token_hash": before.postback_token_hash, "postback_secret": before.postback_secret})
        if given.rotate_postback_token or mode is not before.postback_auth.mode:
            proof = _new_proof(mode)
        after = self._product(given, product_id, before.created_at, self.clock())
        after = after.with_changes(revision=before.revision + 1, **proof.stored)
        if not self.products.replace(after, before.revision):
            raise ChangedMeanwhileError("the product was changed at the same time; read it again")
        change = Change(before, after, proof.shown, _warnings(after, patch))
        return self.audit.record_change("product.updated", product_id, change)

    def list_page(self, status: Lifecycle | None, limit: int, cursor: str | None) -> Page[Product]:
        return self.products.list_page(status, limit, cursor)

    def _product(self, given: ProductInput, product_id: str, created_at: Moment, moment: Moment) -> Product:
        fields = given.model_dump(exclude={"product_id", "rotate_postback_token"})
        return Product(
            **fields
            | {
                "product_id": product_id,
                "allowed_hosts": given.allowed_hosts or (host_of(given.task_url),),
                "currency": given.currency or self.default_currency,
                "postback_auth": PostbackAuth(**given.postback_auth.model_dump()),
                "caps": Caps(**given.caps.model_dump()),
                "created_at": created_at,
                "updated_at": moment,
            }
        )


def _warnings(product: Product, fields: Mapping[str, Any]) -> list[str]:
    is_risky = product.postback_auth.mode is AuthMode.OPEN and product.approval is Approval.AUTO
    return ([OPEN_AND_AUTO] if is_risky else []) + ignored_fields(fields, ProductInput)


def _as_input(product: Product, patch: dict[str, Any]) -> dict[str, Any]:
    """The product as it could have been given; hosts that followed from the task URL follow from the next one."""
    fields = product.to_item()
    if "taskUrl" in patch and product.allowed_hosts == (host_of(product.task_url),):
        del fields["allowedHosts"]
    return fields


@dataclass(frozen=True)
class _Proof:
    """What the product keeps to check postbacks by, and what its advertiser is shown once."""

    stored: dict[str, str | None]
    shown: str | None = None


def _new_proof(mode: AuthMode) -> _Proof:
    if mode is AuthMode.SECRET:
        token = ids.new_token("pbt")
        return _Proof({"postback_token_hash": hash_token(token), "postback_secret": None}, token)
    if mode is AuthMode.SIGNATURE:
        secret = signing.new_secret()
        return _Proof({"postback_token_hash": None, "postback_secret": secret}, secret)
    return _Proof({"postback_token_hash": None, "postback_secret": None})
