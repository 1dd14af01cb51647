"""What a postback led to, for the log and for the advertiser that sent it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

from ricochet.clicks.click import ClickResult, shown_conversion_id
from ricochet.values.entity import View
from ricochet.values.money import Amount
from ricochet.values.statuses import STATUSES, EarningStatus, Outcome


@dataclass(frozen=True)
class IntakeReply:
    """The outcome of a postback, and the conversion that it led to, if any."""

    outcome: Outcome
    click_id: str | None = None
    led_to: ClickResult | None = None

    @property
    def is_duplicate(self) -> bool:
        return self.outcome is Outcome.REPEAT

    def log_fields(self, receipt_id: str) -> dict[str, Any]:
        return {
            "receipt_id": receipt_id,
            "click_id": self.click_id,
            "conversion_id": self.led_to.conversion_id if self.led_to else None,
            "outcome": self.outcome,
        }


class Reported(View):
    """What an advertiser reads of a conversion that it reported."""

    earning_id: str | None
    click_id: str
    conversion_id: str
    status: EarningStatus
    amount: Amount
    duplicate: Literal[True] | None = None

    @classmethod
    def of(cls, reply: IntakeReply, **more: object) -> Self:
        if reply.led_to is None:
            raise ValueError(f"{reply.outcome} has led to no conversion")
        return cls.model_validate(
            {
                "earning_id": reply.led_to.earning_id,
                "click_id": reply.click_id,
                "conversion_id": shown_conversion_id(reply.led_to),
                "status": STATUSES[reply.led_to.status].earning,
                "amount": reply.led_to.amount,
                "duplicate": reply.is_duplicate or None,
            }
            | more
        )
