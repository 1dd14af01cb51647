"""Applies an operator's or a partner's decision to a conversion, with a receipt, as a postback would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from ricochet.clicks.click import Click
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.product import Product
from ricochet.clicks.products_table import ProductsTable
from ricochet.errors import ConversionNotFoundError
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.decision import Decision, decide
from ricochet.ledger.receipt import Receipt, receipt_of_decision
from ricochet.ledger.settlement import Settlement
from ricochet.ledger.transaction import Latest, Ledger
from ricochet.values import times
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.ledger.settings import DecisionSettings


@dataclass(frozen=True)
class DecideConversion:
    ledger: Ledger
    products: ProductsTable
    clicks: ClicksTable
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: DecisionSettings) -> Self:
        return cls(
            Ledger.from_settings(client, settings),
            ProductsTable(client, settings.products_table),
            ClicksTable(client, settings.clicks_table),
        )

    def conversion(self, conversion_id: str) -> Conversion:
        conversion = self.ledger.conversion(conversion_id)
        if conversion is None:
            raise ConversionNotFoundError
        return conversion

    def __call__(self, decision: Decision, conversion_id: str, check: Callable[[Conversion], None]) -> Settlement:
        """Return what was written. `check` raises if the conversion, as it is then, does not allow the decision."""
        read = self.conversion(conversion_id)

        def settlement(latest: Latest) -> Settlement:
            prior = latest.conversion or read
            check(prior)
            return decide(decision, prior, *self._click_and_product(prior), self.clock(), latest.cap_reached)

        return self.ledger.apply(settlement, partial(_receipt, decision))

    def _click_and_product(self, conversion: Conversion) -> tuple[Click | None, Product | None]:
        """Only a conversion that is credited by its click has both."""
        if conversion.product_id is None or conversion.click_id is None:
            return None, None
        product = next(self.products.cached_then_fresh(conversion.product_id), None)
        return self.clicks.get(conversion.click_id), product


def _receipt(decision: Decision, settlement: Settlement) -> Receipt:
    conversion = settlement.conversion
    return receipt_of_decision(
        decision.by,
        conversion.updated_at,
        settlement.outcome,
        click_id=conversion.click_id,
        conversion_id=conversion.conversion_id,
        earning_id=conversion.earning_id,
        detail=decision.reason,
    )
