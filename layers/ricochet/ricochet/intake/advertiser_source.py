"""Advertisers as a source of conversions: they know the click, and prove themselves as its product asks."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.click import Click
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.product import Approval, AuthMode, Product
from ricochet.clicks.products_table import ProductsTable
from ricochet.errors import ClickIdRequiredError, ClickNotFoundError, PostbackNotAuthenticatedError, UnknownStatusError
from ricochet.intake.advertiser_authentication import is_authentic
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


class AdvertiserDirectory:
    """All of them; `source()` is the one who speaks in one postback."""

    def __init__(self, products: ProductsTable, clicks: ClicksTable, default_rate: Decimal) -> None:
        self.products = products
        self.clicks = clicks
        self.default_rate = default_rate

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: PostbackSettings) -> Self:
        products = ProductsTable(client, settings.products_table)
        return cls(products, ClicksTable(client, settings.clicks_table), settings.default_referral_rate)

    def source(self) -> AdvertiserSource:
        return AdvertiserSource(self)


class AdvertiserSource:
    secret_fields = frozenset({"token"})

    def __init__(self, advertisers: AdvertiserDirectory) -> None:
        self._all = advertisers
        self._click: Click | None = None
        self._product: Product | None = None
        self.name: str | None = None
        self.click_id: str | None = None

    def parse(self, raw: RawPostback) -> dict[str, Any]:
        return raw.fields()

    def authenticate(self, raw: RawPostback, fields: dict[str, Any]) -> None:
        """By the click's product as it was a moment ago, or else as it is now: a token just renewed counts at once."""
        click = self._find_click(fields)
        token = fields.get("token")
        given = token if isinstance(token, str) else raw.header("x-postback-token")
        wanted = "no product"
        for product in self._all.products.cached_then_fresh(click.product_id):
            if is_authentic(product, given, raw):
                self._product = product
                return
            wanted = product.postback_auth.mode
        raise PostbackNotAuthenticatedError(f"this product wants postbacks with {wanted}")

    def map(self, raw: RawPostback, fields: dict[str, Any]) -> Report:
        click = self._click or self._find_click(fields)
        product = self._product or self._find_product(click)
        texts = {ours: _first_text(fields, theirs) for ours, theirs in _NAMES.items()}
        word = _first_text(fields, ("status",))
        status = parse_status(word) if word else product.default_status
        if status is None:
            raise UnknownStatusError(f"unknown status {word!r}")
        amount, currency = fields.get("amount"), fields.get("currency")
        reversal = status is Status.REVERSED
        return Report(
            source=self.name or "",
            click_id=click.click_id,
            status=status,
            source_status=word or product.default_status,
            amount=None if amount is None else abs(money.parse_amount(amount, signed=reversal)),
            currency=None if currency is None else money.parse_currency(currency),
            received_at=raw.received_at,
            **texts,
        )

    def terms(self, report: Report, prior: Conversion | None) -> Terms:  # noqa: ARG002 - they follow from the click
        click, product = self._click, self._product
        if click is None or product is None:
            raise ClickNotFoundError("there is no such click")
        return advertiser_terms(click, product, self._all.default_rate)

    def _find_click(self, fields: dict[str, Any]) -> Click:
        given = fields.get("click_id", fields.get("clickId"))
        if given is None:
            raise ClickIdRequiredError("click_id is missing")
        self.click_id = ids.parse_click_id(text("click_id", given))
        self._click = self._all.clicks.get(self.click_id)
        if self._click is None:
            raise ClickNotFoundError("there is no such click")
        self.name = f"product:{self._click.product_id}"
        return self._click

    def _find_product(self, click: Click) -> Product:
        self._product = next(self._all.products.cached_then_fresh(click.product_id), None)
        if self._product is None:
            raise ClickNotFoundError("the product of this click is gone")
        return self._product


def advertiser_terms(click: Click, product: Product, default_rate: Decimal) -> Terms:
    return terms_of_click(
        click,
        product,
        default_rate,
        needs_approval=product.effective_approval is Approval.MANUAL,
        one_open_conversion=product.postback_auth.mode is AuthMode.OPEN,
    )


def _first_text(fields: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((text(name, fields[name]) for name in names if name in fields), None)
