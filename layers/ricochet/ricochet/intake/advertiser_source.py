"""Advertisers as senders of conversions: they name the click, and its product says how they are authenticated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.click import Click
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.product import Approval, AuthMode, Product
from ricochet.clicks.products_table import ProductsTable
from ricochet.errors import (
    BodyTooLargeError,
    ClickIdRequiredError,
    ClickNotFoundError,
    InvalidBodyError,
    PostbackNotAuthenticatedError,
    RequestError,
    UnknownStatusError,
)
from ricochet.intake.advertiser_authentication import is_authentic
from ricochet.intake.claim import Claim, unreadable
from ricochet.intake.fields import text
from ricochet.intake.raw_postback import RawPostback
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.report import Report
from ricochet.ledger.terms import Terms, terms_of_click
from ricochet.values import ids, money
from ricochet.values.statuses import Status, parse_status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.intake.settings import PostbackSettings

_NAMES = {
    "transaction_id": ("transactionId", "transaction_id", "txid", "txn_id"),
    "source_conversion_id": ("conversionId", "conversion_id"),
    "offer_id": ("offerId", "offer_id"),
    "event": ("event",),
}


NO_CLICK = "there is no such click"


@dataclass(frozen=True)
class AdvertiserSource:
    """Any advertiser: the click identifies the product, and the product says how to authenticate."""

    secret_fields = frozenset({"token"})

    products: ProductsTable
    clicks: ClicksTable
    default_rate: Decimal

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: PostbackSettings) -> Self:
        products = ProductsTable(client, settings.products_table)
        return cls(products, ClicksTable(client, settings.clicks_table), settings.default_referral_rate)

    def read(self, raw: RawPostback) -> Claim:
        try:
            fields = raw.fields()
        except (InvalidBodyError, BodyTooLargeError) as problem:
            return unreadable(raw, problem)
        given = fields.get("click_id", fields.get("clickId"))
        try:
            if given is None:
                raise ClickIdRequiredError
            return Claim(click_id=ids.parse_click_id(text("click_id", given)), fields=fields)
        except RequestError as problem:
            return Claim(fields=fields, problem=problem)

    def identify(self, claim: Claim) -> Claim:
        click = self.clicks.get(claim.click_id or "")
        if click is None:
            raise ClickNotFoundError(NO_CLICK)
        return replace(claim, source=f"product:{click.product_id}", click=click)

    def authenticate(self, raw: RawPostback, claim: Claim) -> Claim:
        """By the product as cached, or else as it is now: a token that was just renewed counts at once."""
        token = claim.fields.get("token")
        given = token if isinstance(token, str) else raw.header("x-postback-token")
        wanted = "no product"
        for product in self._product_versions(claim):
            if is_authentic(product, given, raw):
                return replace(claim, product=product, is_trusted=True)
            wanted = product.postback_auth.mode
        raise PostbackNotAuthenticatedError(f"this product wants postbacks with {wanted}")

    def trust(self, claim: Claim) -> Claim:
        product = next(self._product_versions(claim), None)
        problem = ClickNotFoundError("the product of this click is gone") if product is None else None
        return replace(claim, product=product, is_trusted=True, problem=problem)

    def report(self, raw: RawPostback, claim: Claim) -> Report:
        if claim.product is None:
            raise ClickNotFoundError(NO_CLICK)
        fields, default = claim.fields, claim.product.default_status
        texts = {ours: _first_text(fields, theirs) for ours, theirs in _NAMES.items()}
        name = _first_text(fields, ("status",))
        status = parse_status(name) if name else default
        if status is None:
            raise UnknownStatusError(f"unknown status {name!r}")
        amount, currency = fields.get("amount"), fields.get("currency")
        reversal = status is Status.REVERSED
        return Report(
            source=claim.source or "",
            click_id=claim.click_id,
            status=status,
            source_status=name or default,
            amount=None if amount is None else abs(money.parse_amount(amount, signed=reversal)),
            currency=None if currency is None else money.parse_currency(currency),
            received_at=raw.received_at,
            **texts,
        )

    def terms(self, report: Report, claim: Claim, prior: Conversion | None) -> Terms:  # noqa: ARG002 - the click decides
        if claim.click is None or claim.product is None:
            raise ClickNotFoundError(NO_CLICK)
        return advertiser_terms(claim.click, claim.product, self.default_rate)

    def _product_versions(self, claim: Claim) -> Iterator[Product]:
        return self.products.cached_then_fresh(claim.click.product_id if claim.click else "")


def advertiser_terms(click: Click, product: Product, default_rate: Decimal) -> Terms:
    return terms_of_click(
        click,
        product,
        default_rate,
        needs_approval=product.effective_approval is Approval.MANUAL,
        one_open_conversion=product.postback_auth.mode is AuthMode.OPEN,
    )


def _first_text(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text(name, fields[name]) for name in names if name in fields), None)
