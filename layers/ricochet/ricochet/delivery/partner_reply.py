"""What a partner's reply calls the conversion, where it calls it anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ricochet.delivery.partners.partner import Partner
from ricochet.values.entity import Entity
from ricochet.values.statuses import LEAD_WORDS, Status

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_WORD = 64


def named_status(reply: str | None, partner: Partner, told: Status) -> Status | None:
    """The status in `status` of a JSON object or a form, or in a bare word; None if the reply names none.

    Only our own words, canonical and lead ones, and the partner's count: `success` acknowledges, and must not approve.
    The word that the partner was told means just that, even if it has the same for something else.
    """
    word = _word(reply or "").strip()
    return _meanings(partner, told).get(word.lower()) if 0 < len(word) <= MAX_WORD else None


def _meanings(partner: Partner, told: Status) -> dict[str, Status]:
    """`Reject` means rejected: the state machine makes a reversal of it where money was paid."""
    ours = {str(status): status for status in Status}
    ours |= {word.lower(): status for status, word in reversed(LEAD_WORDS.items())}
    theirs = {word.lower(): Status(status) for status, word in reversed(partner.status_words.items())}
    return ours | theirs | {partner.status_word(told).lower(): told}


def _word(reply: str) -> str:
    text = reply.strip()
    fields: Any = None
    if text.startswith("{"):
        try:
            fields = json.loads(text)
        except ValueError:
            return ""
    elif "=" in text:
        fields = dict(parse_qsl(text))
    if fields is None:
        return text
    word = fields.get("status") if isinstance(fields, dict) else None
    return word if isinstance(word, str) else ""


class PartnerReply(Entity):
    """What a partner, told of a conversion, called it in its reply."""

    partner_id: str
    conversion_id: str
    version: int
    delivery_id: str
    status: Status

    def log_fields(self) -> dict[str, str]:
        return {
            "delivery_id": self.delivery_id,
            "conversion_id": self.conversion_id,
            "partner_id": self.partner_id,
            "status": self.status,
        }


class PartnerReplyQueue:
    """Words of partners that may move conversions; who sends postbacks has no rights on the ledger."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def put(self, word: PartnerReply) -> None:
        self._client.send_message(QueueUrl=self._url, MessageBody=json.dumps(word.to_item()))
