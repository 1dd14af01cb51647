"""Operators read receipts, and have postbacks processed again."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from ricochet.dynamodb.paging import Page
from ricochet.errors import ReceiptIncompleteError, ReceiptNotFoundError, ReceiptNotReplayableError
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.reply import IntakeReply, Reported
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.ledger.receipt import Receipt
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.values.change import Audit, Change
from ricochet.values.entity import PageView, Shown, View
from ricochet.values.ids import canonical_click_id
from ricochet.values.inputs import QueryInput
from ricochet.values.times import Moment


class ReceiptQuery(QueryInput):
    """By click, or by day and sender (a network, a product, an operator, or unidentified); optionally by outcome."""

    network_id: str | None = None
    product_id: str | None = None
    operator_id: str | None = None
    strangers: Literal["true"] | None = None
    day: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None
    click_id: str | None = None
    outcome: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = len(self.sources) + (self.strangers is not None)
        if self.click_id is None and (ways != 1 or self.day is None):
            raise ValueError("ask by clickId, or by networkId (or productId, operatorId, strangers) and day")
        return self

    @property
    def sources(self) -> list[str]:
        named = {"network": self.network_id, "product": self.product_id, "operator": self.operator_id}
        return [f"{kind}:{row_id}" for kind, row_id in named.items() if row_id is not None]


class ReceiptSummary(View):
    """The attributes of a receipt that its indexes contain."""

    receipt_id: str
    received_at: Moment
    outcome: str
    source: str | None = None
    click_id: str | None = None
    conversion_id: str | None = None
    earning_id: str | None = None
    detail: str | None = None
    body_size: int


class ReceiptView(Receipt):
    """A receipt with its body, as text or, if it is not text, in base64."""

    body: Shown[str | None] = None  # type: ignore[assignment]
    body_base64: Shown[str | None] = None

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        try:
            return cls.from_entity(receipt, body=receipt.body.decode())
        except UnicodeDecodeError:
            return cls.from_entity(receipt, body=None, body_base64=base64.b64encode(receipt.body).decode())


class Receipts(PageView[ReceiptSummary]):
    pass


class Replayed(Reported):
    outcome: str
    click_id: str | None  # type: ignore[assignment]  # networks may name none


class OnlyReplayed(View):
    """The postback led to nothing."""

    outcome: str
    click_id: str | None


@dataclass(frozen=True)
class ManageReceipts:
    receipts: ReceiptsTable
    reprocess: ReprocessPostback
    audit: Audit

    def list_page(self, query: ReceiptQuery, limit: int, cursor: str | None) -> Page[Receipt]:
        """Return receipts, newest first. With an outcome, a page may be shorter than `limit` without being the last."""
        if query.click_id is not None:
            return self.receipts.of_click(canonical_click_id(query.click_id), query.outcome, limit, cursor)
        day = query.day or ""
        if query.strangers is not None:
            return self.receipts.of_unidentified(day, query.outcome, limit, cursor)
        return self.receipts.of_day(query.sources[0], day, query.outcome, limit, cursor)

    def get(self, receipt_id: str) -> Receipt:
        receipt = self.receipts.get(receipt_id)
        if receipt is None:
            raise ReceiptNotFoundError
        return receipt

    def replay(self, receipt_id: str) -> IntakeReply:
        """Process the postback again, authenticated by the operator; its receipt then has the new outcome.

        ReceiptNotFoundError; ReceiptNotReplayableError for a decision; ReceiptIncompleteError where only the beginning
        was kept; RequestError where it is refused again.
        """
        receipt = self.get(receipt_id)
        if not receipt.is_of_postback:
            raise ReceiptNotReplayableError("this receipt is of a decision, which cannot be processed again")
        if receipt.truncated:
            raise ReceiptIncompleteError("of this postback only the beginning was kept")
        try:
            return self.reprocess(RawPostback.from_entity(receipt), is_vouched=True)
        finally:  # a refusal is its receipt's new outcome, too
            after = self.get(receipt_id)
            ids = {"click_id": after.click_id, "conversion_id": after.conversion_id}
            self.audit.record_change("receipt.replayed", receipt_id, Change(receipt, after), **ids)


def replayed(reply: IntakeReply) -> Replayed | OnlyReplayed:
    if reply.led_to is None:
        return OnlyReplayed(outcome=reply.outcome, click_id=reply.click_id)
    return Replayed.of(reply, outcome=reply.outcome)
