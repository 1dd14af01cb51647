"""A user as far as Ricochet knows one: who brought them, and the code by which they bring others."""

from __future__ import annotations

from ricochet.values.entity import Entity


class User(Entity):
    user_id: str
    referral_code: str | None = None
    referrer_id: str | None = None
    referrer_set_at: str | None = None
    partner_id: str | None = None  # whose deliveries this login may see
