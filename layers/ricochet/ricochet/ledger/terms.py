"""Terms: whose money a conversion is, and by which rules it is credited."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ricochet.clicks.click import Click
from ricochet.clicks.product import Product
from ricochet.ledger.conversion import HoldReason


@dataclass(frozen=True)
class Terms:
    """Without a user the conversion credits nobody."""

    currency: str
    referral_rate: Decimal
    user_id: str | None = None
    click: Click | None = None
    product: Product | None = None
    needs_approval: bool = False
    allow_reapproval: bool = False
    one_open_conversion: bool = False  # anyone can report one: no second conversion while the first is pending
    is_reviewed: bool = False  # a person decides: nothing is held, and approved money is credited at once
    cap_reached: HoldReason | None = None

    @property
    def allows_many_conversions(self) -> bool:
        return self.product is not None and self.product.multiple_conversions

    @property
    def hold_days(self) -> int:
        return 0 if self.product is None or self.is_reviewed else self.product.hold_days


def terms_of_click(
    click: Click,
    product: Product,
    default_rate: Decimal,
    *,
    needs_approval: bool,
    allow_reapproval: bool = False,
    one_open_conversion: bool = False,
) -> Terms:
    """Return the terms of a click's own user and product."""
    return Terms(
        currency=product.currency,
        referral_rate=product.commission_rate(default_rate),
        user_id=click.user_id,
        click=click,
        product=product,
        needs_approval=needs_approval,
        allow_reapproval=allow_reapproval,
        one_open_conversion=one_open_conversion,
    )
