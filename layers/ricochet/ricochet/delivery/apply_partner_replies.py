"""The status in a partner's reply changes the conversion, if the partner may decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ricochet.delivery.partner_reply import PartnerReply
from ricochet.errors import RequestError
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.decision import Decision, check_reply
from ricochet.ledger.settlement import Settlement
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values.statuses import Outcome


@dataclass(frozen=True)
class ReplyResult:
    """Without a settlement, the reply was ignored."""

    reply: PartnerReply
    settlement: Settlement | None

    def log_lines(self) -> Iterator[LogLine]:
        outcome = self.settlement.outcome if self.settlement else Outcome.IGNORED
        yield LogLine("partner reply", self.reply.log_fields() | {"outcome": outcome})

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(Metric.PARTNER_REPLIES_APPLIED if self.settlement else Metric.PARTNER_REPLIES_IGNORED)


@dataclass(frozen=True)
class ApplyPartnerReply:
    decisions: DecideConversion

    def __call__(self, reply: PartnerReply) -> Settlement | None:
        """Return what was written, or None if the reply is not possible, or not any more."""
        reason = f"the reply to {reply.delivery_id}"
        decision = Decision(f"partner:{reply.partner_id}", reply.status, reason, is_reviewed=False)
        try:
            return self.decisions(
                decision, reply.conversion_id, lambda prior: check_reply(reply.status, reply.version, prior)
            )
        except RequestError:
            return None
