"""A partner sets up itself what it receives, and tries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ricochet.delivery.delivery import Delivery, new_delivery
from ricochet.delivery.partners.manage_partners import PartnerInput, SavedPartner, patched
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_deliveries import shown_attempt, without_address
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.request import compose
from ricochet.errors import ChangedMeanwhileError, CompositionError, InvalidRequestError, PartnerUrlNotAllowedError
from ricochet.http.addresses import AllowedTargets
from ricochet.http.attempt import Attempt
from ricochet.http.client import Limits, Sender
from ricochet.http.outbound import Outbound
from ricochet.ledger.notice import Notice
from ricochet.values import ids, times
from ricochet.values.entity import Entity
from ricochet.values.inputs import as_api_names
from ricochet.values.masking import masked
from ricochet.values.statuses import Status

TEST = Limits(connect=1.0, total=5.0)

EDITABLE = ("postbackUrl", "method", "contentType", "bodyTemplate", "events", "filters", "statusWords")

SHOWN = {
    *("partner_id", "name", "status", "paused_at", "pause_reason", "created_at", "updated_at"),
    *("postback_url", "method", "content_type", "body_template", "events", "filters", "status_words"),
    *("max_per_second", "reply_updates_status", "previous_secret_until"),
}


class SampleRequest(Entity):
    """What the test postback is to tell of."""

    status: Status = Status.APPROVED


@dataclass(frozen=True)
class SampleResult:
    """A test postback, and what came of it."""

    outbound: Outbound | None
    attempt: Attempt

    def to_json(self) -> dict[str, Any]:
        request = {} if self.outbound is None else {"request": _shown_request(self.outbound)}
        return request | {"response": shown_attempt(self.attempt)}


class PartnerProfile:
    def __init__(
        self, partners: PartnersTable, allowed: AllowedTargets, sender: Sender, clock: Callable[[], str] = times.now
    ) -> None:
        self._partners = partners
        self._allowed = allowed
        self._sender = sender
        self._clock = clock

    def update(self, before: Partner, given: dict[str, Any]) -> SavedPartner:
        """What is given of `EDITABLE` is set and the rest stays; anything else is ignored with a warning.

        Whose clicks are the partner's (`filters.ownClicks`) is for operators to say: InvalidRequestError for another
        answer. Otherwise as when an operator changes it.
        """
        given = as_api_names(given, PartnerInput)
        patch = {name: given[name] for name in EDITABLE if name in given}
        if isinstance(filters := patch.get("filters"), dict):
            patch["filters"] = {"ownClicks": before.filters.own_clicks} | filters
        saved = self._patched(before, patch)
        if saved.partner.filters.own_clicks != before.filters.own_clicks:
            detail = "filters.ownClicks: operators say whose clicks are yours"
            raise InvalidRequestError(detail, [detail])
        ignored = [f"{name} is not yours to set and was ignored" for name in sorted(given.keys() - {*EDITABLE})]
        return self._save(before, replace(saved, warnings=saved.warnings + ignored))

    def rotate_secret(self, before: Partner) -> SavedPartner:
        return self._save(before, self._patched(before, {"rotateSigningSecret": True}))

    def try_out(self, partner: Partner, request: SampleRequest) -> SampleResult:
        """Sends a notice of nothing real, as a delivery would be sent; it counts nowhere and is not recorded."""
        moment = self._clock()
        try:
            outbound = compose(_sample(partner, request.status, moment), partner, moment)
        except CompositionError as error:
            return SampleResult(None, Attempt(at=moment, ms=0, error=error.message))
        return SampleResult(outbound, self._sender.send(outbound).attempt)

    def _patched(self, before: Partner, patch: dict[str, Any]) -> SavedPartner:
        try:
            return patched(before, patch, self._allowed, self._clock())
        except PartnerUrlNotAllowedError as error:
            raise PartnerUrlNotAllowedError(without_address(error.message)) from error

    def _save(self, before: Partner, saved: SavedPartner) -> SavedPartner:
        if not self._partners.replace(saved.partner, before.revision):
            raise ChangedMeanwhileError("the partner was changed meanwhile; read it again")
        return saved


def profile(partner: Partner) -> dict[str, Any]:
    """A partner as it sees itself."""
    return partner.to_json(include_only=SHOWN)


def _shown_request(outbound: Outbound) -> dict[str, Any]:
    body = {} if outbound.body is None else {"body": outbound.body.decode()}
    return {"method": outbound.method, "url": masked(outbound.url), "headers": outbound.headers} | body


def _sample(partner: Partner, status: Status, moment: str) -> Delivery:
    """A delivery whose ids begin with `test_`, the `webhook-id` among them, so that nobody takes it for money."""
    test_id = ids.new_id("test")
    notice = Notice(
        click_id=test_id,
        status=status,
        original_status=status.lead_word,
        payout="1.00",
        currency="USD",
        conversion_id=test_id,
        transaction_id=test_id,
        timestamp=moment,
    )
    return new_delivery(test_id, 1, partner.partner_id, notice, moment).with_changes(delivery_id=test_id)
