"""`ops user`: one user's wallets, compared with the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import typer

from ops import render
from ops.stacks import Stack
from ops.target import Json, stack_of
from ricochet.ledger.earning import Earning, Wallet
from ricochet.values.money import plain
from ricochet.values.statuses import EarningStatus

TRIES = 5
ZERO = Decimal(0)


@dataclass(frozen=True)
class Balance:
    """A wallet in one currency, and the sums of the ledger's rows."""

    currency: str
    balance: Decimal = ZERO
    pending: Decimal = ZERO
    lifetime: Decimal = ZERO
    ledger_balance: Decimal = ZERO
    ledger_pending: Decimal = ZERO
    rows: int = 0

    @property
    def agrees(self) -> bool:
        return (self.balance, self.pending) == (self.ledger_balance, self.ledger_pending)

    def to_json(self) -> dict[str, Any]:
        return {
            "currency": self.currency,
            "balance": self.balance,
            "pending": self.pending,
            "lifetime": self.lifetime,
            "ledgerBalance": self.ledger_balance,
            "ledgerPending": self.ledger_pending,
            "earnings": self.rows,
            "agrees": self.agrees,
        }


def user(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="the user id in access tokens (`sub`)")],
    *,
    limit: Annotated[int, typer.Option(help="how many earnings to show, newest first", min=0, max=1000)] = 10,
    as_json: Json = False,
) -> None:
    """Show a user's wallets and latest earnings. The exit code is 1 if wallets and ledger differ."""
    stack = stack_of(ctx)
    found = stack.users.get(user_id)
    user_fields = found.to_json() if found else {"userId": user_id}
    earnings, balances = read_ledger(stack, user_id)
    agrees = all(one.agrees for one in balances)
    if as_json:
        render.show_json(
            {
                "user": user_fields,
                "agrees": agrees,
                "wallets": [one.to_json() for one in balances],
                "earnings": [one.to_json() for one in earnings[:limit]],
            }
        )
    else:
        render.fields(user_fields)
        _show(earnings[:limit], balances)
    if not agrees:
        raise typer.Exit(1)


def read_ledger(stack: Stack, user_id: str) -> tuple[list[Earning], list[Balance]]:
    """Return all earnings, newest first, and the balances; read both again if a wallet changed in between."""
    for _ in range(TRIES):
        before = stack.wallets.of_user(user_id)
        earnings = list(stack.earnings.ledger(user_id))
        if stack.wallets.of_user(user_id) == before:
            break
    return earnings, compare(before, earnings)


def compare(wallets: Iterable[Wallet], earnings: Iterable[Earning]) -> list[Balance]:
    """Return a balance for each currency of the wallets and the earnings."""
    rows: dict[str, list[Earning]] = defaultdict(list)
    for earning in earnings:
        rows[earning.currency].append(earning)
    by_currency = {wallet.currency: wallet for wallet in wallets}
    return [_balance(currency, by_currency.get(currency), rows[currency]) for currency in sorted({*by_currency, *rows})]


def _balance(currency: str, wallet: Wallet | None, rows: Sequence[Earning]) -> Balance:
    return Balance(
        currency,
        balance=wallet.balance if wallet else ZERO,
        pending=wallet.pending if wallet else ZERO,
        lifetime=wallet.lifetime if wallet else ZERO,
        ledger_balance=_sum(rows, EarningStatus.COMPLETED),
        ledger_pending=_sum(rows, EarningStatus.PENDING),
        rows=len(rows),
    )


def _sum(rows: Sequence[Earning], status: EarningStatus) -> Decimal:
    return plain(sum((row.amount for row in rows if row.status is status), ZERO))


def _show(earnings: Sequence[Earning], balances: Sequence[Balance]) -> None:
    render.print_line("")
    render.table(
        ("currency", "balance", "in ledger", "pending", "in ledger", "lifetime", "earnings"),
        ((b.currency, b.balance, b.ledger_balance, b.pending, b.ledger_pending, b.lifetime, b.rows) for b in balances),
        "no wallet: this user has earned nothing yet",
    )
    for one in balances:
        if not one.agrees:
            render.print_line(f"\n{describe_difference(one)}", f"bold {render.RED}")
    render.print_line("")
    columns = ("earned (UTC)", "amount", "", "conversion", "earning")
    render.table(columns, map(_cells, earnings), "no earnings")


def describe_difference(one: Balance) -> str:
    """Return a loud text: wallet and ledger must never differ."""
    balance, pending = plain(one.balance - one.ledger_balance), plain(one.pending - one.ledger_pending)
    return (
        f"✘ THE WALLET AND THE LEDGER DIFFER in {one.currency}: "
        f"balance {one.balance} against {one.ledger_balance} ({balance:+}), "
        f"pending {one.pending} against {one.ledger_pending} ({pending:+}). "
        "Each row is written in one transaction with its wallet, so someone changed one of them by hand. "
        "Save this output, and compare the rows with their conversions."
    )


def _cells(row: Earning) -> tuple[str, ...]:
    amount, what = render.money(row.amount, row.currency), f"{row.status} {row.type}"
    return render.to_second(row.earned_at), amount, what, row.conversion_id, row.earning_id
