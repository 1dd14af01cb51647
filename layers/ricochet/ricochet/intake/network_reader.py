"""What a network's postback says, as a report: pure code from fields to a report or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ricochet.errors import InvalidAmountError, NotAConversionError, UnknownStatusError
from ricochet.intake.fields import text
from ricochet.intake.network import CreditBy, Network
from ricochet.intake.preset import Preset
from ricochet.ledger.report import Report
from ricochet.values import ids, money
from ricochet.values.statuses import Status
from ricochet.values.times import Moment


@dataclass(frozen=True)
class NetworkReader:
    """The fields of one postback, read by the network's configuration and its preset."""

    network: Network
    preset: Preset
    fields: Mapping[str, Any]

    def report(self, received_at: Moment) -> Report:
        """Raise NotAConversionError for what is only kept as a receipt, RequestError for invalid fields."""
        reason = self.preset.only_receipt(self.fields)
        if reason:
            raise NotAConversionError(reason)
        if self.preset.is_for_another(self.network.affiliate, self.fields):
            raise NotAConversionError("another affiliate")
        amount, payout, currency = self._money()
        if amount is None and self._names_users:
            raise InvalidAmountError("amount is missing", ["amount: a network that names the user says what he gets"])
        status, source_status = self._status(amount if amount is not None else payout)
        transaction_id = self._text("transaction_id")
        if status is Status.REVERSED:
            transaction_id = self.preset.reversed_transaction(self.fields) or transaction_id
        return Report(
            source=self.network.source,
            network_id=self.network.network_id,
            click_id=self.click_id(),
            user_id=self._text("user_id") if self._names_both or self._names_users else None,
            status=status,
            source_status=source_status,
            amount=None if amount is None else abs(amount),
            payout=None if payout is None else abs(payout),
            currency=currency,
            transaction_id=transaction_id,
            source_conversion_id=self._text("source_conversion_id"),
            event=self._text("event"),
            offer_id=self._text("offer_id"),
            is_rebill=bool(self.preset.is_rebill(self.fields)),
            received_at=received_at,
        )

    def click_id(self) -> str | None:
        """Return the click that the network names. Most have one parameter for either the click or the user."""
        given = self._text("click_id") if self._names_both or not self._names_users else None
        return None if given is None else ids.canonical_click_id(given)

    def _money(self) -> tuple[Decimal | None, Decimal | None, str | None]:
        """Return the user's reward, what the network pays us, and the reward's currency if the network decides it.

        A network that sends only what it pays us pays the user by the configured rate, or all of it; in the latter
        case the amount is in the network's currency.
        """
        reward, payout = self._amount("amount"), self._amount("payout")
        given = self._field("currency")
        currency = None if given is None else money.parse_currency(given)
        if reward is not None:
            same = self.preset.fields.get("amount") == self.preset.fields.get("payout")
            return self._at_rate(reward) if same else reward, payout, currency if same else None
        if payout is None:
            return None, None, None
        rate = self.network.reward_rate
        return (payout, payout, currency) if rate is None else (self._at_rate(payout), payout, None)

    def _at_rate(self, payout: Decimal) -> Decimal:
        rate = self.network.reward_rate
        return payout if rate is None else money.parse_amount(money.rounded(payout * rate), signed=True)

    def _amount(self, name: str) -> Decimal | None:
        value = self._field(name)
        try:
            return None if value is None else money.parse_amount(value, signed=True)
        except InvalidAmountError as error:
            raise InvalidAmountError(f"{name}: {error.message}") from error

    def _status(self, amount: Decimal | None) -> tuple[Status, str]:
        name = self._text("status")
        default = self.network.default_status or self.preset.default_status
        status = self.preset.status_of(name, self.fields, self.network.status_map) if name else default
        if status is None:
            raise UnknownStatusError(f"unknown status {name!r}")
        if self.preset.is_reversal(self.fields) or (amount is not None and amount < 0):
            return Status.REVERSED, name if name and status is Status.REVERSED else "reversed"
        return status, name or status

    @property
    def _names_both(self) -> bool:
        return self.preset.fields.get("click_id") != self.preset.fields.get("user_id")

    @property
    def _names_users(self) -> bool:
        return self.network.credit_by is CreditBy.USER

    def _text(self, name: str) -> str | None:
        value = self._field(name)
        return None if value is None else text(name, value)

    def _field(self, name: str) -> Any:
        return self.preset.read(self.fields, name, self.network.param_map)
