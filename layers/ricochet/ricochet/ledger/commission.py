"""Referral commission: a share of what referred users are credited."""

from __future__ import annotations

from decimal import Decimal

from ricochet.clicks.user import User
from ricochet.ledger.conversion import Conversion
from ricochet.values.money import plain, rounded


def commission_change(old: Conversion | None, new: Conversion) -> Decimal:
    """Return what the referrer gets (negative: gives back) because `credited` changed from `old` to `new`.

    It is the difference of two rounded shares, so that a full reversal takes back exactly what was paid.
    """
    return plain(_share(new) - (_share(old) if old else Decimal(0)))


def referrer_at_credit(user: User | None, conversion: Conversion) -> str | None:
    """Return the user's referrer at the time of the first credit, None if there was none.

    A referrer who was set later got no commission for it, and so has none to give back.
    """
    if user is None or user.referrer_id is None or user.referrer_set_at is None or conversion.credited_at is None:
        return None
    return user.referrer_id if user.referrer_set_at <= conversion.credited_at else None


def _share(conversion: Conversion) -> Decimal:
    return rounded(conversion.credited * conversion.referral_rate)
