"""The status of the conversion in a partner's reply, if it contains one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ricochet.delivery.partners.partner import Partner
from ricochet.values.entity import Entity
from ricochet.values.statuses import LEAD_WORDS, Status

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_STATUS_LENGTH = 64


def status_in_reply(reply: str | None, partner: Partner, sent: Status) -> Status | None:
    """Return the status in `status` of a JSON object or a form, or in plain text; None if the reply has none.

    Only our own names and the partner's count: `success` acknowledges the postback and must not approve anything.
    The name that was sent means the status that was sent, even if the partner uses it for another one too.
    """
    name = _status_name(reply or "").strip()
    return _meanings(partner, sent).get(name.lower()) if 0 < len(name) <= MAX_STATUS_LENGTH else None


def _meanings(partner: Partner, sent: Status) -> dict[str, Status]:
    """`Reject` means rejected: the state machine makes it a reversal if money was paid."""
    ours = {str(status): status for status in Status}
    ours |= {name.lower(): status for status, name in reversed(LEAD_WORDS.items())}
    theirs = {name.lower(): Status(status) for status, name in reversed(partner.status_words.items())}
    return ours | theirs | {partner.status_word(sent).lower(): sent}


def _status_name(reply: str) -> str:
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
    name = fields.get("status") if isinstance(fields, dict) else None
    return name if isinstance(name, str) else ""


class PartnerReply(Entity):
    """The status of a conversion that a partner's reply contained."""

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


@dataclass(frozen=True)
class PartnerReplyQueue:
    """Replies that may change a conversion; the functions that send postbacks have no rights on the ledger."""

    client: SQSClient
    url: str

    def put(self, reply: PartnerReply) -> None:
        self.client.send_message(QueueUrl=self.url, MessageBody=json.dumps(reply.to_item()))
