"""What a partner's reply calls the conversion, where it calls it anything."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from ricochet.models.partner import Partner
from ricochet.models.statuses import LEAD_WORDS, Status

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
    return ours | theirs | {partner.word_for(told).lower(): told}


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
