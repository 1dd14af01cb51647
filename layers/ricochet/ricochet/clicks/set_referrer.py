"""A user says who brought them: once, never themselves, never someone they brought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import StringConstraints

from ricochet.clicks.users_table import UsersTable
from ricochet.errors import InvalidRequestError, ReferrerAlreadySetError, ReferrerIsSelfError, ReferrerNotFoundError
from ricochet.values import ids, times
from ricochet.values.entity import Model, View
from ricochet.values.times import Moment

Text = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)]


class ReferrerRequest(Model):
    """Either the referrer's code, as people pass it on, or the user id, as a deep link may carry it."""

    referral_code: Text | None = None
    referrer_id: Text | None = None


class Referrer(View):
    referrer_id: str


class ReferralCode(View):
    referral_code: str
    referrer_id: str | None


@dataclass(frozen=True)
class SetReferrer:
    users: UsersTable
    clock: Callable[[], Moment] = times.now

    def own_code(self, user_id: str) -> ReferralCode:
        """The code by which this user brings others, and who brought this user."""
        return ReferralCode.from_entity(self.users.register_code(user_id, ids.referral_code(user_id)))

    def __call__(self, user_id: str, request: ReferrerRequest) -> Referrer:
        """Set the referrer, once; to set the same again is no error.

        ReferrerIsSelfError, ReferrerNotFoundError, ReferrerAlreadySetError, ReferrerCycleError.
        """
        referrer_id = self._referrer(user_id, request)
        if referrer_id == user_id:
            raise ReferrerIsSelfError
        try:
            self.users.set_referrer(user_id, referrer_id, self.clock())
        except ReferrerAlreadySetError:
            user = self.users.get(user_id)
            if user is None or user.referrer_id != referrer_id:
                raise
        return Referrer(referrer_id=referrer_id)

    def _referrer(self, user_id: str, request: ReferrerRequest) -> str:
        if request.referrer_id and not request.referral_code:
            return request.referrer_id
        if not request.referral_code or request.referrer_id:
            raise InvalidRequestError("give either referralCode or referrerId", ["referralCode: missing"])
        code = request.referral_code.upper()
        if code == ids.referral_code(user_id):
            return user_id
        referrer_id = self.users.find_by_code(code)
        if referrer_id is None:
            raise ReferrerNotFoundError
        return referrer_id
