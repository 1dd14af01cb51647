"""What a partner calls a conversion moves it, where the partner is set to decide."""

from __future__ import annotations

from ricochet.delivery.partner_reply import PartnerReply
from ricochet.errors import RequestError
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision, check_reply
from ricochet.ledger.settlement import Settlement


class ApplyPartnerReply:
    def __init__(self, decisions: DecideConversion) -> None:
        self._decisions = decisions

    def __call__(self, word: PartnerReply) -> Settlement | None:
        """What was written, None where it makes no sense, or none any more."""
        reason = f"the reply to {word.delivery_id}"
        decision = Decision(f"partner:{word.partner_id}", word.status, reason, is_reviewed=False)
        try:
            return self._decisions(
                decision, word.conversion_id, lambda prior: check_reply(word.status, word.version, prior)
            )
        except RequestError:
            return None
