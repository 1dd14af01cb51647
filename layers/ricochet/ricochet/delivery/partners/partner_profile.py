"""A partner sets up itself what it receives, and tries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from ricochet.delivery.delivery import Delivery, new_delivery
from ricochet.delivery.partners.manage_partners import PartnerInput, patched
from ricochet.delivery.partners.partner import ContentType, Filters, Partner
from ricochet.delivery.partners.partner_deliveries import OwnAttempt
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.delivery.request import compose
from ricochet.errors import (
    ChangedMeanwhileError,
    CompositionError,
    InvalidRequestError,
    PartnerUrlNotAllowedError,
    TargetRefusedError,
)
from ricochet.http.client import Limits, Sender
from ricochet.http.outbound import Method, Outbound
from ricochet.http.resolver import Resolver
from ricochet.ledger.notice import Notice
from ricochet.values import ids, times
from ricochet.values.change import Audit, Change
from ricochet.values.entity import Model, View
from ricochet.values.inputs import as_api_names
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.masking import masked
from ricochet.values.money import Price
from ricochet.values.statuses import Status
from ricochet.values.times import Moment

TEST = Limits(connect=1.0, total=5.0)

EDITABLE = ("postbackUrl", "method", "contentType", "bodyTemplate", "events", "filters", "statusWords")


class Profile(View):
    """A partner as it sees itself."""

    partner_id: str
    name: str
    postback_url: str
    method: Method
    content_type: ContentType
    body_template: str | None = None
    events: tuple[str, ...]
    status_words: dict[str, str]
    filters: Filters
    previous_secret_until: Moment | None = None
    max_per_second: Price | None = None
    reply_updates_status: bool
    status: Lifecycle
    paused_at: Moment | None = None
    pause_reason: str | None = None
    created_at: Moment
    updated_at: Moment


class SigningSecret(View):
    signing_secret: str
    previous_secret_until: Moment


class SampleRequest(Model):
    """What the test postback reports."""

    status: Status = Status.APPROVED


class SampleSent(View):
    method: str
    url: str
    headers: dict[str, str]
    body: str | None = None

    @classmethod
    def of(cls, outbound: Outbound) -> Self:
        body = None if outbound.body is None else outbound.body.decode()
        return cls(method=outbound.method, url=masked(outbound.url), headers=outbound.headers, body=body)


class SampleTried(View):
    """A test postback and its result; without `request` if it could not be made."""

    request: SampleSent | None = None
    response: OwnAttempt


@dataclass(frozen=True)
class PartnerProfile:
    partners: PartnersTable
    audit: Audit
    resolver: Resolver
    sender: Sender
    clock: Callable[[], Moment] = times.now

    def update(self, before: Partner, given: Mapping[str, Any]) -> Change[Partner]:
        """Set what is given of `EDITABLE`; the rest stays, and anything else is ignored with a warning.

        Which clicks are the partner's (`filters.ownClicks`) is for operators to say: InvalidRequestError if it differs.
        Otherwise as when an operator changes it.
        """
        given = as_api_names(given, PartnerInput)
        patch = {name: given[name] for name in EDITABLE if name in given}
        if isinstance(filters := patch.get("filters"), dict):
            patch["filters"] = {"ownClicks": before.filters.own_clicks} | filters
        change = self._patched(before, patch)
        if change.after.filters.own_clicks != before.filters.own_clicks:
            detail = "filters.ownClicks: operators say whose clicks are yours"
            raise InvalidRequestError(detail, [detail])
        ignored = [f"{name} is not yours to set and was ignored" for name in sorted(given.keys() - {*EDITABLE})]
        return self._save("profile.updated", replace(change, warnings=[*change.warnings, *ignored]))

    def rotate_secret(self, before: Partner) -> SigningSecret:
        change = self._save("secret.rotated", self._patched(before, {"rotateSigningSecret": True}))
        return SigningSecret.from_entity(change.after)

    def try_out(self, partner: Partner, request: SampleRequest) -> SampleTried:
        """Send a notice of nothing real, as a delivery would be sent; it counts nowhere and is not recorded."""
        moment = self.clock()
        try:
            outbound = compose(_sample(partner, request.status, moment), partner, moment)
        except CompositionError as error:
            return SampleTried(response=OwnAttempt(at=moment, ms=0, error=error.message))
        attempt = self.sender.send(outbound).attempt
        return SampleTried(request=SampleSent.of(outbound), response=OwnAttempt.of(attempt))

    def _patched(self, before: Partner, patch: dict[str, Any]) -> Change[Partner]:
        try:
            return patched(before, patch, self.resolver, self.clock())
        except PartnerUrlNotAllowedError as error:
            if isinstance(refusal := error.__cause__, TargetRefusedError):
                raise PartnerUrlNotAllowedError(f"postbackUrl: {refusal.without_address}") from error
            raise

    def _save(self, action: str, change: Change[Partner]) -> Change[Partner]:
        before, after = change.before, change.after
        if before is None or not self.partners.replace(after, before.revision):
            raise ChangedMeanwhileError("the partner was changed at the same time; read it again")
        return self.audit.record_change(action, after.partner_id, change)


def _sample(partner: Partner, status: Status, moment: Moment) -> Delivery:
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
