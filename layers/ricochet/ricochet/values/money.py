"""Money is Decimal: at most 6 decimals, below a thousand million, never NaN and never a float."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from ricochet.errors import InvalidAmountError, InvalidCurrencyError

DECIMALS = 6

LIMIT = Decimal(10) ** 9  # 9 + 6 digits still survive a JSON number read as a double

_PLAIN = re.compile(r"[+-]?(\d{1,16}(\.\d{0,12})?|\.\d{1,12})([eE][+-]?\d{1,2})?", re.ASCII)

_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{2,7}", re.ASCII)


def parse_amount(value: object, *, signed: bool = False) -> Decimal:
    """Return the amount in `value` (text, int or Decimal). Raise InvalidAmountError with the reason if there is none.

    Floats are refused because they have lost digits already; negatives unless `signed`.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidAmountError("amount must be a number", [f"amount: {type(value).__name__} is not a number"])
    text = str(value).strip()
    if not _PLAIN.fullmatch(text):
        raise InvalidAmountError("amount must be a plain decimal number", ["amount: such as 12.50"])
    try:
        amount = Decimal(text)
    except InvalidOperation as error:  # pragma: no cover - the pattern is stricter than Decimal
        raise InvalidAmountError("amount must be a plain decimal number") from error
    if amount and _last_digit(amount) < -DECIMALS:
        raise InvalidAmountError(f"amount has more than {DECIMALS} decimals")
    if abs(amount) >= LIMIT:
        raise InvalidAmountError(f"amount must be below {LIMIT}")
    if amount < 0 and not signed:
        raise InvalidAmountError("amount must not be negative")
    return plain(amount)


def plain(amount: Decimal) -> Decimal:
    """Return the amount without exponent and trailing zeros, so that equal amounts look equal."""
    normal = amount.normalize()
    return normal.quantize(Decimal(1)) if _exponent(normal) > 0 else normal + 0


def rounded(amount: Decimal) -> Decimal:
    """Return the amount with as many decimals as we keep, rounded half even."""
    return plain(amount.quantize(Decimal(1).scaleb(-DECIMALS), ROUND_HALF_EVEN))


def _last_digit(amount: Decimal) -> int:
    return _exponent(amount.normalize())


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def parse_currency(value: object) -> str:
    """Return an upper-case currency code (ISO 4217, or a reward app's own such as `COINS`)."""
    text = value.strip().upper() if isinstance(value, str) else ""
    if not _CURRENCY.fullmatch(text):
        raise InvalidCurrencyError
    return text


def _as_amount(value: object) -> Decimal:
    try:
        return parse_amount(value, signed=True)
    except InvalidAmountError as error:
        raise ValueError(error.message) from error


def _as_price(value: object) -> Decimal:
    try:
        return parse_amount(value)
    except InvalidAmountError as error:
        raise ValueError(error.message) from error


def _as_code(value: object) -> str:
    try:
        return parse_currency(value)
    except InvalidCurrencyError as error:
        raise ValueError(error.message) from error


def json_number(amount: Decimal) -> int | float:
    """Return `amount` for a JSON reply: exact, since 15 significant digits survive a double."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)


_in_json = PlainSerializer(json_number, when_used="json")

Amount = Annotated[Decimal, BeforeValidator(_as_amount), _in_json]

Price = Annotated[Decimal, BeforeValidator(_as_price), _in_json]

Currency = Annotated[str, BeforeValidator(_as_code)]
