"""A partner: someone who receives our postbacks."""

from __future__ import annotations

from enum import StrEnum

from ricochet.models.delivery import Notice
from ricochet.models.entity import Entity
from ricochet.models.product import Lifecycle
from ricochet.models.statuses import LEAD_WORDS, Status

ALL_EVENTS = tuple(dict.fromkeys(LEAD_WORDS.values()))


class Method(StrEnum):
    GET = "GET"
    POST = "POST"


class ContentType(StrEnum):
    JSON = "json"
    FORM = "form"


class Filters(Entity):
    """Which conversions a partner hears of; an empty list means all."""

    offer_ids: tuple[str, ...] = ()
    product_ids: tuple[str, ...] = ()

    def match(self, notice: Notice) -> bool:
        return (not self.offer_ids or notice.offer_id in self.offer_ids) and (
            not self.product_ids or notice.product_id in self.product_ids
        )


class Partner(Entity):
    partner_id: str
    name: str
    postback_url: str  # with macros
    method: Method = Method.GET
    content_type: ContentType = ContentType.JSON
    body_template: str | None = None
    events: tuple[str, ...] = ALL_EVENTS  # lead words
    status_words: dict[str, str] = {}  # canonical status -> the partner's own word
    filters: Filters = Filters()
    signing_secret: str
    previous_secret: str | None = None
    previous_secret_until: str | None = None
    status: Lifecycle = Lifecycle.ACTIVE
    revision: int = 1
    created_at: str
    updated_at: str

    def secrets_at(self, moment: str) -> tuple[str, ...]:
        """What a request at `moment` is signed with, newest first: the secret before a rotation goes on for a while."""
        if self.previous_secret and self.previous_secret_until and moment < self.previous_secret_until:
            return self.signing_secret, self.previous_secret
        return (self.signing_secret,)

    def wants(self, notice: Notice) -> bool:
        return notice.status.lead_word in self.events and self.filters.match(notice)

    def word_for(self, status: Status) -> str:
        return self.status_words.get(status, status.lead_word)
