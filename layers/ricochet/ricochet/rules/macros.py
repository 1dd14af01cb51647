"""Macros in partners' URLs and bodies: `{click_id}` and its kind, replaced in one pass.

A replaced value is never looked at again, so a click that carries `{user_id}` in its subid sends just that.
"""

from __future__ import annotations

import difflib
import json
import random
import re
from collections.abc import Callable
from urllib.parse import quote

from ricochet.models.delivery import Delivery, Notice
from ricochet.models.partner import Partner

_MACRO = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")
_LOOKS_LIKE_ONE = re.compile(r"\{([\w .-]+)\}")

ALIASES = {
    "clickid": "click_id",
    "amount": "payout",
    "sum": "payout",
    "revenue": "payout",
    "txid": "transaction_id",
    "txn_id": "transaction_id",
}
# Those the notice knows as they are; `subid` is the click id unless the click had a subid of its own.
_FROM_NOTICE = frozenset(Notice.model_fields)
_COMPUTED = frozenset({"delivery_id", "random", "affiliate_id", "offer_name", "country"})
NAMES = _FROM_NOTICE | _COMPUTED | frozenset(ALIASES)

NUMBERS = frozenset({"payout", "amount", "sum", "revenue", "random"})

Encoding = Callable[[str], str]


def unknown_macros(template: str) -> list[str]:
    """A text for each macro that nobody fills, naming the nearest one that exists."""
    complaints = []
    for name in dict.fromkeys(_LOOKS_LIKE_ONE.findall(template)):
        if name.lower() not in NAMES:
            near = difflib.get_close_matches(name.lower(), NAMES, n=1, cutoff=0.0)
            complaints.append(f"{{{name}}} is no macro; did you mean {{{near[0]}}}?")
    return complaints


def values(delivery: Delivery, partner: Partner) -> dict[str, str]:
    """What each macro stands for in this delivery to this partner."""
    notice = delivery.notice
    known = {name: str(getattr(notice, name)) for name in _FROM_NOTICE}
    known |= {
        "status": partner.word_for(notice.status),
        "subid": notice.subid or notice.click_id,
        "delivery_id": delivery.delivery_id,
        "random": f"{random.getrandbits(63):d}",
        "affiliate_id": "",
        "offer_name": "",
        "country": "",
    }
    return known | {alias: known[name] for alias, name in ALIASES.items()}


def fill(template: str, known: dict[str, str], encode: Encoding) -> str:
    return _MACRO.sub(lambda match: encode(known.get(match[1].lower(), "")), template)


def in_url(text: str) -> str:
    return quote(text, safe="")


def in_json(text: str) -> str:
    """For a macro inside a JSON string of a body template."""
    return json.dumps(text)[1:-1]
