"""Networks as a source of conversions: each speaks as its preset says, and credits whom it is set to credit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.click import Click
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.product import Approval
from ricochet.clicks.products_table import ProductsTable
from ricochet.errors import (
    ClickNotFoundError,
    ClickOwnerMismatchError,
    InvalidAmountError,
    InvalidBodyError,
    InvalidClickIdError,
    NetworkNotFoundError,
    NotAConversionError,
    PostbackNotAuthenticatedError,
    RequestError,
    UnknownStatusError,
)
from ricochet.intake import presets
from ricochet.intake.fields import text
from ricochet.intake.network import CreditBy, Network
from ricochet.intake.networks_table import NetworksTable
from ricochet.intake.preset import Acknowledgement, Preset, Reads
from ricochet.intake.raw_postback import RawPostback, present
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.report import Report
from ricochet.ledger.terms import Terms, terms_of_click
from ricochet.values import ids, money
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.statuses import Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.intake.settings import NetworkPostbackSettings

PATH = "/postback/"

MAX_KEY = 64


class NetworkDirectory:
    """All networks; `source(key)` is the one behind a key."""

    def __init__(
        self,
        networks: NetworksTable,
        products: ProductsTable,
        clicks: ClicksTable,
        default_rate: Decimal,
        default_currency: str,
    ) -> None:
        self.networks = networks
        self.products = products
        self.clicks = clicks
        self.default_rate = default_rate
        self.default_currency = default_currency

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: NetworkPostbackSettings) -> Self:
        return cls(
            NetworksTable(client, settings.networks_table),
            ProductsTable(client, settings.products_table),
            ClicksTable(client, settings.clicks_table),
            settings.default_referral_rate,
            settings.default_currency,
        )

    def source(self, unique_key: str, moment: str) -> NetworkSource:
        """NetworkNotFoundError for a key that nobody has, and for a network that is not active."""
        found = self.networks.cached_then_fresh(unique_key, moment) if len(unique_key) <= MAX_KEY else ()
        refusal = NetworkNotFoundError("there is no such postback URL")
        for network in found:
            if network.status is Lifecycle.ACTIVE:
                return NetworkSource(self, network, unique_key, moment)
            refusal.network_id = network.network_id
        raise refusal


class NetworkSource:
    def __init__(self, sources: NetworkDirectory, network: Network, unique_key: str, moment: str) -> None:
        self._all = sources
        self._network = network
        self._key = (unique_key, moment)
        self.preset: Preset = presets.load(network.preset)
        self.name: str | None = network.source
        self.click_id: str | None = None
        self.secret_fields = self.preset.secret_fields

    def acknowledgement(self, raw: RawPostback) -> Acknowledgement:
        """What to answer; it may depend on the query."""
        return self.preset.acknowledgement(raw.query_fields())

    def parse(self, raw: RawPostback) -> dict[str, Any]:
        if self.preset.unwrap is not None:
            return present(self._unwrapped(raw, self.preset.unwrap))
        query = raw.query_fields() if self.preset.reads in (Reads.BOTH, Reads.QUERY) else {}
        body = raw.body_fields() if self.preset.reads in (Reads.BOTH, Reads.BODY) else {}
        return present(query) | present(body)

    def _unwrapped(self, raw: RawPostback, unwrap: Callable[[RawPostback, str], dict[str, Any]]) -> dict[str, Any]:
        refusal: RequestError = PostbackNotAuthenticatedError("the network has no secret")
        for network in self._versions():
            if network.secret is not None:
                try:
                    return unwrap(raw, network.secret)
                except InvalidBodyError as error:
                    refusal = error
        raise refusal

    def authenticate(self, raw: RawPostback, fields: dict[str, Any]) -> None:
        for network in self._versions():
            if network.allows(raw.source_ip) and self.preset.proof(raw, fields, network.secret):
                self._network = network
                return
        raise PostbackNotAuthenticatedError("the signature or the address is not the network's")

    def _versions(self) -> Iterator[Network]:
        """The network as it was a moment ago, and then as it is now: a secret just renewed counts at once."""
        return chain([self._network], self._all.networks.cached_then_fresh(*self._key))

    def map(self, raw: RawPostback, fields: dict[str, Any]) -> Report:
        self.click_id = self._click(fields)  # first, so that receipts of what makes no sense name it too
        reason = self.preset.only_receipt(fields, self._network.affiliate)
        if reason:
            raise NotAConversionError(reason)
        amount, payout, currency = self._money(fields)
        if amount is None and self._network.credit_by is CreditBy.USER:
            raise InvalidAmountError("amount is missing", ["amount: a network that names the user says what he gets"])
        status, word = self._status(fields, amount if amount is not None else payout)
        transaction_id = self._text(fields, "transaction_id")
        if status is Status.REVERSED:
            transaction_id = self.preset.reversed_transaction(fields) or transaction_id
        return Report(
            source=self.name or "",
            network_id=self._network.network_id,
            click_id=self.click_id,
            user_id=self._user(fields),
            status=status,
            source_status=word,
            amount=None if amount is None else abs(amount),
            payout=None if payout is None else abs(payout),
            currency=currency,
            transaction_id=transaction_id,
            source_conversion_id=self._text(fields, "source_conversion_id"),
            event=self._text(fields, "event"),
            offer_id=self._text(fields, "offer_id"),
            is_rebill=bool(self.preset.is_rebill(fields)),
            received_at=raw.received_at,
        )

    def terms(self, report: Report, prior: Conversion | None) -> Terms:
        match self._network.credit_by:
            case CreditBy.CLICK:
                return self._by_click(report, prior)
            case CreditBy.USER:
                return self._nobody(user_id=report.user_id)
            case CreditBy.NONE:
                return self._nobody()

    def _by_click(self, report: Report, prior: Conversion | None) -> Terms:
        click = self._find_click(report.click_id or (prior.click_id if prior else None))
        if click and report.user_id is not None and report.user_id != click.user_id:
            raise ClickOwnerMismatchError("this click is another user's")
        product = next(self._all.products.cached_then_fresh(click.product_id), None) if click else None
        if click is None or product is None:
            if self._network.require_known_click and prior is None and report.status is not Status.REVERSED:
                raise ClickNotFoundError("there is no such click")
            return self._nobody()
        return terms_of_click(
            click,
            product,
            self._all.default_rate,
            needs_approval=product.approval is Approval.MANUAL,
            allow_reapproval=self._network.allow_reapproval,
        )

    def _find_click(self, click_id: str | None) -> Click | None:
        try:
            return self._all.clicks.get(ids.parse_click_id(click_id)) if click_id else None
        except InvalidClickIdError:
            return None

    def _nobody(self, user_id: str | None = None) -> Terms:
        return Terms(
            currency=self._all.default_currency,
            referral_rate=self._all.default_rate,
            user_id=user_id,
            allow_reapproval=self._network.allow_reapproval,
        )

    def _money(self, fields: dict[str, Any]) -> tuple[Decimal | None, Decimal | None, str | None]:
        """The user's reward, what the network pays us, and the reward's currency if the network decides it.

        A network that sends only what it pays us pays the user by the configured rate, or all of it; in the latter
        case it is money of the network's currency.
        """
        reward, payout = self._amount(fields, "amount"), self._amount(fields, "payout")
        given = self._read(fields, "currency")
        currency = None if given is None else money.parse_currency(given)
        if reward is not None:
            same = self.preset.fields.get("amount") == self.preset.fields.get("payout")
            return self._at_rate(reward) if same else reward, payout, currency if same else None
        if payout is None:
            return None, None, None
        rate = self._network.reward_rate
        return (payout, payout, currency) if rate is None else (self._at_rate(payout), payout, None)

    def _at_rate(self, payout: Decimal) -> Decimal:
        rate = self._network.reward_rate
        return payout if rate is None else money.parse_amount(money.rounded(payout * rate), signed=True)

    def _amount(self, fields: dict[str, Any], name: str) -> Decimal | None:
        value = self._read(fields, name)
        try:
            return None if value is None else money.parse_amount(value, signed=True)
        except InvalidAmountError as error:
            raise InvalidAmountError(f"{name}: {error.message}") from error

    def _status(self, fields: dict[str, Any], amount: Decimal | None) -> tuple[Status, str]:
        word = self._text(fields, "status")
        default = self._network.default_status or self.preset.default_status
        status = self.preset.status_of(word, fields, self._network.status_map) if word else default
        if status is None:
            raise UnknownStatusError(f"unknown status {word!r}")
        if self.preset.is_reversal(fields) or (amount is not None and amount < 0):
            return Status.REVERSED, word if word and status is Status.REVERSED else "reversed"
        return status, word or status

    def _click(self, fields: dict[str, Any]) -> str | None:
        """The click, where the network names one; most have one parameter for either the click or the user."""
        given = self._text(fields, "click_id") if self._names_both or not self._names_users else None
        return None if given is None else ids.canonical_click_id(given)

    def _user(self, fields: dict[str, Any]) -> str | None:
        return self._text(fields, "user_id") if self._names_both or self._names_users else None

    @property
    def _names_both(self) -> bool:
        return self.preset.fields.get("click_id") != self.preset.fields.get("user_id")

    @property
    def _names_users(self) -> bool:
        return self._network.credit_by is CreditBy.USER

    def _text(self, fields: dict[str, Any], name: str) -> str | None:
        value = self._read(fields, name)
        return None if value is None else text(name, value)

    def _read(self, fields: dict[str, Any], name: str) -> Any:
        return self.preset.read(fields, name, self._network.param_map)
