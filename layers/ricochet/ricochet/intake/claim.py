"""What is known about a postback so far: its sender, click and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ricochet.clicks.click import Click
from ricochet.clicks.product import Product
from ricochet.errors import RequestError
from ricochet.intake.network import Network
from ricochet.intake.raw_postback import RawPostback

MAX_UNREAD_CLICK_ID = 128


@dataclass(frozen=True)
class Claim:
    """Each step of the intake returns a claim that knows more; receipts and logs are written from the last one."""

    source: str | None = None
    """`product:<id>` or `network:<id>`; None until the sender is identified."""
    click_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    click: Click | None = None
    product: Product | None = None
    network: Network | None = None
    is_trusted: bool = False
    """Whether the sender was authenticated, or an operator vouched for it."""
    problem: RequestError | None = None
    """Why the postback must be refused although its sender may be known."""

    def checked(self) -> Claim:
        """Return the claim itself. Raise its problem if it has one."""
        if self.problem is not None:
            raise self.problem
        return self

    def log_fields(self) -> dict[str, Any]:
        kind, _, name = (self.source or "").partition(":")
        return ({f"{kind}_id": name} if kind else {}) | ({"click_id": self.click_id} if self.click_id else {})


def unreadable(raw: RawPostback, problem: RequestError, source: str | None = None) -> Claim:
    """Return the claim of a postback with a malformed body: its query may still name the click."""
    click_id = raw.query_fields().get("click_id", "")[:MAX_UNREAD_CLICK_ID] or None
    return Claim(source=source, click_id=click_id, problem=problem)
