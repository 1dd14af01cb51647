"""Networks as senders of conversions: the preset defines the format, the network's settings which user is credited."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from ricochet.clicks.click import Click
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.clicks.product import Approval
from ricochet.clicks.products_table import ProductsTable
from ricochet.errors import (
    BodyTooLargeError,
    ClickNotFoundError,
    ClickOwnerMismatchError,
    InvalidBodyError,
    InvalidClickIdError,
    InvalidRequestError,
    NetworkNotFoundError,
    PostbackNotAuthenticatedError,
    RequestError,
)
from ricochet.intake import presets
from ricochet.intake.claim import Claim, unreadable
from ricochet.intake.network import CreditBy, Network
from ricochet.intake.network_reader import NetworkReader
from ricochet.intake.networks_table import NetworksTable
from ricochet.intake.preset import Acknowledgement, Preset, Reads
from ricochet.intake.raw_postback import RawPostback, present
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.report import Report
from ricochet.ledger.terms import Terms, terms_of_click
from ricochet.values import ids
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.statuses import Status
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.intake.settings import NetworkPostbackSettings

PATH = "/postback/"

MAX_KEY = 64


@dataclass(frozen=True)
class NetworkDirectory:
    """All networks, each found by the key in its postback URL."""

    networks: NetworksTable
    products: ProductsTable
    clicks: ClicksTable
    default_rate: Decimal
    default_currency: str

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: NetworkPostbackSettings) -> Self:
        return cls(
            NetworksTable(client, settings.networks_table),
            ProductsTable(client, settings.products_table),
            ClicksTable(client, settings.clicks_table),
            settings.default_referral_rate,
            settings.default_currency,
        )

    def source(self, unique_key: str, moment: Moment) -> NetworkSource:
        """Return the network with this key as a sender. Raise NetworkNotFoundError unless there is an active one."""
        found = self.networks.cached_then_fresh(unique_key, moment) if len(unique_key) <= MAX_KEY else ()
        refusal = NetworkNotFoundError("there is no such postback URL")
        for network in found:
            if network.status is Lifecycle.ACTIVE:
                return NetworkSource(self, network, unique_key, moment)
            refusal.network_id = network.network_id
        raise refusal


class NetworkSource:
    """One network as the sender of one postback."""

    def __init__(self, directory: NetworkDirectory, network: Network, unique_key: str, moment: Moment) -> None:
        self._all = directory
        self._network = network
        self._key = (unique_key, moment)
        self.preset: Preset = presets.load(network.preset)
        self.secret_fields = self.preset.secret_fields

    def acknowledgement(self, raw: RawPostback) -> Acknowledgement:
        """Return what to answer; it may depend on the query."""
        return self.preset.acknowledgement(raw.query_fields())

    def read(self, raw: RawPostback) -> Claim:
        source = self._network.source
        try:
            return Claim(source=source, fields=self._fields(raw))
        except (InvalidBodyError, BodyTooLargeError) as problem:
            return unreadable(raw, problem, source)
        except PostbackNotAuthenticatedError as problem:
            return Claim(source=source, problem=problem)

    def _fields(self, raw: RawPostback) -> dict[str, Any]:
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

    def identify(self, claim: Claim) -> Claim:
        """Return the claim as it is: the key in the URL has identified the network."""
        return claim

    def authenticate(self, raw: RawPostback, claim: Claim) -> Claim:
        for network in self._versions():
            if network.allows(raw.source_ip) and self.preset.proof(raw, claim.fields, network.secret):
                return self._trusted(claim, network)
        raise PostbackNotAuthenticatedError("the signature or the address is not the network's")

    def trust(self, claim: Claim) -> Claim:
        return self._trusted(claim, self._network)

    def _trusted(self, claim: Claim, network: Network) -> Claim:
        claim = replace(claim, network=network, is_trusted=True)
        try:
            return replace(claim, click_id=self._reader(claim).click_id())
        except InvalidRequestError as problem:
            return replace(claim, problem=problem)

    def _versions(self) -> Iterator[Network]:
        """Yield the network as cached, and then as it is now: a secret that was just renewed counts at once."""
        return chain([self._network], self._all.networks.cached_then_fresh(*self._key))

    def report(self, raw: RawPostback, claim: Claim) -> Report:
        return self._reader(claim).report(raw.received_at)

    def _reader(self, claim: Claim) -> NetworkReader:
        return NetworkReader(claim.network or self._network, self.preset, claim.fields)

    def terms(self, report: Report, claim: Claim, prior: Conversion | None) -> Terms:
        network = claim.network or self._network
        match network.credit_by:
            case CreditBy.CLICK:
                return self._by_click(network, report, prior)
            case CreditBy.USER:
                return self._without_click(network, user_id=report.user_id)
            case CreditBy.NONE:
                return self._without_click(network)

    def _by_click(self, network: Network, report: Report, prior: Conversion | None) -> Terms:
        click = self._find_click(report.click_id or (prior.click_id if prior else None))
        if click and report.user_id is not None and report.user_id != click.user_id:
            raise ClickOwnerMismatchError
        product = next(self._all.products.cached_then_fresh(click.product_id), None) if click else None
        if click is None or product is None:
            if network.require_known_click and prior is None and report.status is not Status.REVERSED:
                raise ClickNotFoundError("there is no such click")
            return self._without_click(network)
        return terms_of_click(
            click,
            product,
            self._all.default_rate,
            needs_approval=product.approval is Approval.MANUAL,
            allow_reapproval=network.allow_reapproval,
        )

    def _find_click(self, click_id: str | None) -> Click | None:
        try:
            return self._all.clicks.get(ids.parse_click_id(click_id)) if click_id else None
        except InvalidClickIdError:
            return None

    def _without_click(self, network: Network, user_id: str | None = None) -> Terms:
        return Terms(
            currency=self._all.default_currency,
            referral_rate=self._all.default_rate,
            user_id=user_id,
            allow_reapproval=network.allow_reapproval,
        )
