"""Referral commission: a share of what the people one brought were credited."""

from __future__ import annotations

from decimal import Decimal

from ricochet.clicks.user import User
from ricochet.ledger.conversion import Conversion
from ricochet.values.money import plain, rounded


def commission_change(old: Conversion | None, new: Conversion) -> Decimal:
    """What the referrer gets (or gives back, negative) because `credited` went from `old` to `new`.

    The difference of two rounded shares, so that a full reversal takes back exactly what was paid.
    """
    return plain(_share(new) - (_share(old) if old else Decimal(0)))


def referrer_at_credit(user: User | None, conversion: Conversion) -> str | None:
    """Who was the user's referrer when the conversion was first credited.

    Someone who was named later was paid nothing for it, and so has nothing to give back.
    """
    if user is None or user.referrer_id is None or user.referrer_set_at is None or conversion.credited_at is None:
        return None
    return user.referrer_id if user.referrer_set_at <= conversion.credited_at else None


def _share(conversion: Conversion) -> Decimal:
    return rounded(conversion.credited * conversion.referral_rate)
