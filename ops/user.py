"""`ops user`: one user's wallet against the ledger."""

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
    """What a wallet says in one currency, and what the ledger's rows add up to."""

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
    user_id: Annotated[str, typer.Argument(help="the id that tokens name (`sub`)")],
    *,
    limit: Annotated[int, typer.Option(help="how many of the latest earnings to show", min=0, max=1000)] = 10,
    as_json: Json = False,
) -> None:
    """A user's wallets, the latest earnings, and whether the two agree; exit code 1 if they do not."""
    stack = stack_of(ctx)
    known = stack.users.get(user_id)
    earnings, balances = audited(stack, user_id)
    agrees = all(one.agrees for one in balances)
    if as_json:
        render.show_json(
            {
                "user": (known.to_json() if known else {"userId": user_id}),
                "agrees": agrees,
                "wallets": [one.to_json() for one in balances],
                "earnings": [one.to_json() for one in earnings[:limit]],
            }
        )
    else:
        render.fields(known.to_json() if known else {"userId": user_id})
        _show(earnings[:limit], balances)
    if not agrees:
        raise typer.Exit(1)


def audited(stack: Stack, user_id: str) -> tuple[list[Earning], list[Balance]]:
    """All earnings, newest first, and the balances, both of one moment: read again if the wallet moved meanwhile."""
    for _ in range(TRIES):
        before = stack.wallets.of_user(user_id)
        earnings = list(stack.earnings.ledger(user_id))
        if stack.wallets.of_user(user_id) == before:
            break
    return earnings, compare(before, earnings)


def compare(wallets: Iterable[Wallet], earnings: Iterable[Earning]) -> list[Balance]:
    """One for each currency that either of them knows."""
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
    render.say("")
    render.table(
        ("currency", "balance", "by the ledger", "pending", "by the ledger", "lifetime", "earnings"),
        ((b.currency, b.balance, b.ledger_balance, b.pending, b.ledger_pending, b.lifetime, b.rows) for b in balances),
        "no wallet: nothing was ever earned",
    )
    for one in balances:
        if not one.agrees:
            render.say(f"\n{difference(one)}", f"bold {render.RED}")
    render.say("")
    columns = ("earned (UTC)", "amount", "", "conversion", "earning")
    render.table(columns, map(_cells, earnings), "no earnings")


def difference(one: Balance) -> str:
    """Says loudly what must never be."""
    balance, pending = plain(one.balance - one.ledger_balance), plain(one.pending - one.ledger_pending)
    return (
        f"✘ THE WALLET AND THE LEDGER DIFFER in {one.currency}: "
        f"balance {one.balance} against {one.ledger_balance} ({balance:+}), "
        f"pending {one.pending} against {one.ledger_pending} ({pending:+}). "
        "Every row is written with its wallet in one transaction: somebody changed one of them by hand. "
        "Keep what you see, and compare the rows with their conversions."
    )


def _cells(row: Earning) -> tuple[str, ...]:
    amount, what = render.money(row.amount, row.currency), f"{row.status} {row.type}"
    return render.second(row.earned_at), amount, what, row.conversion_id, row.earning_id
