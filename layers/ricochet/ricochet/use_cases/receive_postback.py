"""An advertiser reports a conversion: parse, authenticate, map, decide, write in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from ricochet.errors import (
    BodyTooLargeError,
    ClickIdRequiredError,
    ClickNotFoundError,
    InvalidBodyError,
    InvalidRequestError,
    LedgerBusyError,
    PostbackNotAuthenticatedError,
    RequestError,
    UnknownStatusError,
)
from ricochet.models import ids, money, times
from ricochet.models.click import Click, Outcome, shown_conversion_id
from ricochet.models.conversion import Report
from ricochet.models.postback import RawPostback, receipt_of
from ricochet.models.product import Product
from ricochet.models.statuses import Status, parse_status
from ricochet.rules.settlement import Settlement, check_open, repeats, settle
from ricochet.tables.catalog import Products
from ricochet.tables.clicks import Clicks
from ricochet.tables.ledger import ClickTakenError, ConversionMovedError, Ledger, LedgerTables
from ricochet.tables.receipts import Receipts

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.settings import PostbackSettings

MAX_TEXT = 128
_DECISIONS = 3
_NAMES = {
    "transaction_id": ("transactionId", "transaction_id", "txid", "txn_id"),
    "source_conversion_id": ("conversionId", "conversion_id"),
    "offer_id": ("offerId", "offer_id"),
    "event": ("event",),
}


@dataclass(frozen=True)
class PostbackReply:
    """What the advertiser is told, and what happened: the outcome for logs and metrics."""

    click_id: str
    led_to: Outcome
    outcome: str

    @property
    def is_duplicate(self) -> bool:
        return self.outcome == "repeat"

    def to_json(self) -> dict[str, Any]:
        data = {
            "earningId": self.led_to.earning_id,
            "clickId": self.click_id,
            "conversionId": shown_conversion_id(self.led_to),
            "status": self.led_to.earning_status,
            "amount": money.json_number(self.led_to.amount),
        }
        return data | {"duplicate": True} if self.is_duplicate else data

    def for_log(self, receipt_id: str) -> dict[str, Any]:
        return {
            "receipt_id": receipt_id,
            "click_id": self.click_id,
            "conversion_id": self.led_to.conversion_id,
            "outcome": self.outcome,
        }


@dataclass
class _Case:
    """What is known so far about the postback in hand; its receipt is written from this."""

    raw: RawPostback
    click_id: str | None = None
    source: str | None = None
    trusted: bool = False
    conversion_id: str | None = None


class ReceivePostback:
    def __init__(
        self,
        products: Products,
        clicks: Clicks,
        ledger: Ledger,
        receipts: Receipts,
        default_rate: Decimal,
        clock: Callable[[], str] = times.now,
    ) -> None:
        self._products = products
        self._clicks = clicks
        self._ledger = ledger
        self._receipts = receipts
        self._default_rate = default_rate
        self._clock = clock

    @classmethod
    def over(cls, client: DynamoDBClient, settings: PostbackSettings) -> Self:
        names = LedgerTables(
            conversions=settings.conversions_table,
            clicks=settings.clicks_table,
            earnings=settings.earnings_table,
            wallets=settings.wallets_table,
            receipts=settings.receipts_table,
        )
        return cls(
            Products(client, settings.products_table),
            Clicks(client, settings.clicks_table),
            Ledger(client, names),
            Receipts(client, settings.receipts_table),
            settings.default_referral_rate,
        )

    def __call__(self, raw: RawPostback) -> PostbackReply:
        """What the postback led to.

        A RequestError says why it was refused, and a receipt keeps it. Any other error is our own side's: nothing
        was decided, and the same `raw` may be given again later.
        """
        case = _Case(raw)
        try:
            return self._receive(case)
        except RequestError as refusal:
            self._keep(case, refusal.code.lower(), refusal.message)
            raise

    def _receive(self, case: _Case) -> PostbackReply:
        fields = _parse(case)
        case.click_id = _click_id(fields)
        click = self._click(case.click_id)
        case.source = f"product:{click.product_id}"
        product = self._authenticated_product(click, case.raw, fields)
        case.trusted = True
        report = _to_report(fields, case.source, product, case.raw.received_at, click.click_id)
        case.conversion_id = report.conversion_id
        return self._decide_and_write(case, report, click, product)

    def _click(self, click_id: str) -> Click:
        click = self._clicks.get(click_id)
        if click is None:
            raise ClickNotFoundError("there is no such click")
        return click

    def _authenticated_product(self, click: Click, raw: RawPostback, fields: dict[str, Any]) -> Product:
        """The click's product, if the postback may speak for it: a token that was just renewed counts at once."""
        token = fields.get("token")
        given = token if isinstance(token, str) else raw.header("x-postback-token")
        wanted = "no product"
        for product in self._products.versions(click.product_id):
            if product.accepts(given, raw.source_ip):
                return product
            wanted = product.postback_auth.mode
        raise PostbackNotAuthenticatedError(f"this product wants postbacks with {wanted}")

    def _decide_and_write(self, case: _Case, report: Report, click: Click, product: Product) -> PostbackReply:
        if click.outcome and repeats(report, click.outcome):
            return PostbackReply(click.click_id, click.outcome, "repeat")
        prior = self._ledger.conversion(report.conversion_id) if click.outcome else None
        for _ in range(_DECISIONS):
            settlement = settle(report, click, product, prior, self._default_rate, self._clock())
            if settlement.is_ignored:
                self._keep(case, "ignored", f"{prior.status if prior else ''} stays, {report.status} comes too late")
            if settlement.is_ignored or settlement.is_repeat:
                return PostbackReply(click.click_id, settlement.click_outcome, settlement.outcome)
            try:
                self._write(case, settlement, product)
            except ConversionMovedError as moved:
                prior = moved.conversion
            except ClickTakenError as taken:
                click = taken.click
                check_open(click, product, report.received_at)
            else:
                return PostbackReply(click.click_id, settlement.click_outcome, settlement.outcome)
        raise LedgerBusyError("the conversion kept moving")

    def _write(self, case: _Case, settlement: Settlement, product: Product) -> None:
        receipt = receipt_of(
            case.raw,
            settlement.outcome,
            trusted=True,
            source=case.source,
            click_id=case.click_id,
            conversion_id=case.conversion_id,
            earning_id=settlement.conversion.earning_id,
        )
        self._ledger.write(settlement, receipt, any_number=product.multiple_conversions)

    def _keep(self, case: _Case, outcome: str, detail: str) -> None:
        self._receipts.put(
            receipt_of(
                case.raw,
                outcome,
                trusted=case.trusted,
                source=case.source,
                click_id=case.click_id,
                conversion_id=case.conversion_id,
                detail=detail,
            )
        )


def _parse(case: _Case) -> dict[str, Any]:
    """The postback's fields; where the body makes no sense, the receipt still says which click it was for."""
    try:
        return case.raw.fields()
    except (InvalidBodyError, BodyTooLargeError):
        case.click_id = case.raw.query_fields().get("click_id", "")[:MAX_TEXT] or None
        raise


def _click_id(fields: dict[str, Any]) -> str:
    click_id = fields.get("click_id", fields.get("clickId"))
    if click_id is None:
        raise ClickIdRequiredError("click_id is missing")
    return ids.parse_click_id(_text("click_id", click_id))


def _to_report(fields: dict[str, Any], source: str, product: Product, received_at: str, click_id: str) -> Report:
    texts = {ours: _first_text(fields, theirs) for ours, theirs in _NAMES.items()}
    word = _first_text(fields, ("status",))
    status = parse_status(word) if word else product.default_status
    if status is None:
        raise UnknownStatusError(f"unknown status {word!r}")
    amount = fields.get("amount")
    reversal = status is Status.REVERSED
    currency = fields.get("currency")
    return Report(
        source=source,
        click_id=click_id,
        status=status,
        source_status=word or product.default_status,
        amount=None if amount is None else abs(money.parse_amount(amount, signed=reversal)),
        currency=None if currency is None else money.parse_currency(currency),
        received_at=received_at,
        **texts,
    )


def _first_text(fields: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((_text(name, fields[name]) for name in names if name in fields), None)


def _text(name: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise InvalidRequestError(f"{name} must be a text", [f"{name}: {type(value).__name__} is not a text"])
    text = str(value).strip()
    if len(text) > MAX_TEXT:
        raise InvalidRequestError(f"{name} is longer than {MAX_TEXT} characters", [f"{name}: too long"])
    return text
