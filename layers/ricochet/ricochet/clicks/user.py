"""A user: their referrer, and the code with which they refer others."""

from __future__ import annotations

from ricochet.values.entity import Entity, Shown
from ricochet.values.times import Moment


class User(Entity):
    user_id: Shown[str]
    referral_code: Shown[str | None] = None
    referrer_id: Shown[str | None] = None
    referrer_set_at: Shown[Moment | None] = None
    partner_id: Shown[str | None] = None  # whose deliveries this login may see
