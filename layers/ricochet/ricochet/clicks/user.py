"""A user as far as Ricochet knows one: who brought them, and the code by which they bring others."""

from __future__ import annotations

from ricochet.values.entity import Entity, Shown
from ricochet.values.times import Moment


class User(Entity):
    user_id: Shown[str]
    referral_code: Shown[str | None] = None
    referrer_id: Shown[str | None] = None
    referrer_set_at: Shown[Moment | None] = None
    partner_id: Shown[str | None] = None  # whose deliveries this login may see
