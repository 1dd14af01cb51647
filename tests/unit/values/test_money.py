"""Money is Decimal with at most six decimals; anything else is refused."""

import random
from decimal import Decimal

import pytest

from ricochet.errors import InvalidAmountError, InvalidCurrencyError
from ricochet.ledger.earning import Wallet, WalletView
from ricochet.values.money import json_number, parse_amount, parse_currency, plain


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("12.50", "12.5"),
        (" 7 ", "7"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e2", "100"),
        ("25E-1", "2.5"),
        ("0.000001", "0.000001"),
        ("1.0000000", "1"),
        ("999999999.999999", "999999999.999999"),
        (0, "0"),
        (42, "42"),
        (Decimal("1E+8"), "100000000"),
        ("-0", "0"),
        ("0e99", "0"),
    ],
)
def test_an_amount_is_read_exactly_and_kept_plain(given, meant):
    assert str(parse_amount(given)) == meant


@pytest.mark.parametrize(
    "given",
    [
        *(
            "",
            " ",
            ".",
            "e5",
            "--1",
            "+-1",
            "1 2",
            "1,5",
            "1_000",
            "0x10",
            "$5",
            "5 USD",
            "twelve",
            "1.2.3",
            "{payout}",
        ),
        *("NaN", "sNaN", "Infinity", "-Infinity", "inf", "1e400", "1e-400", "1e99"),
        *("0.0000001", "1.2345678", "1e-7", "1000000000", "1e9", "9" * 17, "\u0661\u0662", "\uff11"),
        *(Decimal("NaN"), Decimal("Infinity"), Decimal("1E+400"), Decimal("0.0000001"), 10**9),
        *(1.5, True, False, None, [1], {"a": 1}, b"5"),
    ],
)
def test_anything_but_an_amount_is_refused(given):
    with pytest.raises(InvalidAmountError):
        parse_amount(given, signed=True)


@pytest.mark.parametrize("given", ["-1", -1, Decimal("-0.01"), "-1e2"])
def test_a_negative_amount_must_be_allowed(given):
    with pytest.raises(InvalidAmountError, match="negative"):
        parse_amount(given)
    assert parse_amount(given, signed=True) < 0


def test_the_limit_holds_on_both_sides_of_zero():
    assert parse_amount("-999999999", signed=True) == -999999999
    with pytest.raises(InvalidAmountError, match="below"):
        parse_amount("-1000000000", signed=True)


@pytest.mark.parametrize(
    ("given", "meant"), [("1E+3", "1000"), ("2.500", "2.5"), ("0.00", "0"), ("-0", "0"), ("-1E+1", "-10")]
)
def test_equal_amounts_look_equal(given, meant):
    assert str(plain(Decimal(given))) == meant


def test_fifteen_digits_survive_a_json_number():
    dice = random.Random(7)
    for _ in range(2000):
        amount = plain(Decimal(dice.randrange(10 ** dice.randint(1, 15))).scaleb(-6))
        assert Decimal(repr(json_number(amount))) == amount


def test_a_whole_amount_is_a_whole_json_number():
    assert repr(json_number(Decimal("5.00"))) == "5"
    assert repr(json_number(Decimal("5.10"))) == "5.1"


@pytest.mark.parametrize(("given", "meant"), [("usd", "USD"), (" EUR ", "EUR"), ("Coins", "COINS"), ("usd2", "USD2")])
def test_a_currency_is_an_upper_case_code(given, meant):
    assert parse_currency(given) == meant


@pytest.mark.parametrize(
    "given", ["", "US", "1SD", "U$D", "US D", "NINELETTE", "US\u00d0", "\uff35SD", None, 840, ["USD"]]
)
def test_anything_but_a_currency_is_refused(given):
    with pytest.raises(InvalidCurrencyError):
        parse_currency(given)


def test_an_entity_stores_decimals_and_shows_numbers():
    wallet = Wallet(user_id="u", currency="usd", balance="10.50", pending=Decimal("1E+1"))
    assert wallet.to_item()["balance"] == Decimal("10.5")
    assert wallet.to_item()["currency"] == "USD"
    assert WalletView.from_entity(wallet).to_json() == {
        "currency": "USD",
        "balance": 10.5,
        "pending": 10,
        "lifetime": 0,
    }


def test_an_entity_refuses_floats_for_money():
    with pytest.raises(ValueError, match="amount must be a number"):
        Wallet(user_id="u", currency="USD", balance=0.1)
