"""Operators look at what arrived and what became of it, and have it taken in once more."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import StringConstraints, model_validator

from ricochet.dynamodb.paging import Page
from ricochet.errors import ReceiptIncompleteError, ReceiptNotFoundError, ReceiptNotReplayableError
from ricochet.intake.intake import IntakeReply
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.ledger.receipt import Receipt
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.values.entity import Entity
from ricochet.values.ids import canonical_click_id
from ricochet.values.inputs import validate

HIDDEN = {"ttl", "source_day", "truncated"}

NOT_IN_LISTINGS = HIDDEN | {"method", "path", "query", "headers", "body", "source_ip"}


class ReceiptQuery(Entity):
    """By click, or by network (product, operator; or who was none of them) and day; each also by outcome."""

    network_id: str | None = None
    product_id: str | None = None
    operator_id: str | None = None
    strangers: Literal["true"] | None = None
    day: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")] | None = None
    click_id: str | None = None
    outcome: str | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        return validate({name: value for name, value in query.items() if value}, cls)

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


class ManageReceipts:
    def __init__(self, receipts: ReceiptsTable, replay: ReprocessPostback) -> None:
        self._receipts = receipts
        self._replay = replay

    def list_page(self, query: ReceiptQuery, limit: int, cursor: str | None) -> Page[Receipt]:
        """Newest first. A page may hold fewer than `limit` where an outcome is asked for, and there may be more."""
        if query.click_id is not None:
            return self._receipts.of_click(canonical_click_id(query.click_id), query.outcome, limit, cursor)
        day = query.day or ""
        if query.strangers is not None:
            return self._receipts.of_unidentified(day, query.outcome, limit, cursor)
        return self._receipts.of_day(query.sources[0], day, query.outcome, limit, cursor)

    def get(self, receipt_id: str) -> Receipt:
        receipt = self._receipts.get(receipt_id)
        if receipt is None:
            raise ReceiptNotFoundError
        return receipt

    def replay(self, receipt: Receipt) -> IntakeReply:
        """Takes the postback in again, vouched for by the operator; its receipt then tells the new outcome.

        ReceiptNotReplayableError for a person's decision; ReceiptIncompleteError where only the beginning was kept;
        RequestError where it is refused again.
        """
        if not receipt.is_of_postback:
            raise ReceiptNotReplayableError("this receipt is of a decision, which cannot be taken in again")
        if receipt.truncated:
            raise ReceiptIncompleteError("of this postback only the beginning was kept")
        raw = RawPostback(
            receipt_id=receipt.receipt_id,
            received_at=receipt.received_at,
            method=receipt.method,
            path=receipt.path,
            query=receipt.query,
            headers=receipt.headers,
            body=receipt.body,
            source_ip=receipt.source_ip,
        )
        return self._replay(raw, self._replay.source(raw), vouched_for=True)


def summary(receipt: Receipt) -> dict[str, Any]:
    """What the indexes hold of it."""
    return receipt.to_json(leave_out=NOT_IN_LISTINGS)


def shown(receipt: Receipt) -> dict[str, Any]:
    """All of it; a body that is not text is in base64."""
    whole = receipt.to_json(leave_out=HIDDEN | {"body"})
    try:
        return whole | {"body": receipt.body.decode()}
    except UnicodeDecodeError:
        return whole | {"bodyBase64": base64.b64encode(receipt.body).decode()}
