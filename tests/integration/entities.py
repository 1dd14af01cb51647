"""What most tests begin with: a signed-in user and a product."""

from __future__ import annotations

from dataclasses import dataclass

from local.accounts import Account
from local.client import Client


@dataclass(frozen=True)
class Person:
    account: Account
    app: Client

    @property
    def user_id(self) -> str:
        return self.account.user_id


@dataclass(frozen=True)
class NewProduct:
    product_id: str
    token: str | None
