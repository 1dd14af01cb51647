"""Users: their referral codes, their referrers, and the partner they log in for."""

from __future__ import annotations

from itertools import islice

from ricochet.clicks.user import User
from ricochet.dynamodb.expressions import Parameters, check, update
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.transaction import TransactionBusyError, Write, transact
from ricochet.dynamodb.wire import to_entity
from ricochet.errors import LedgerBusyError, ReferrerAlreadySetError, ReferrerCycleError
from ricochet.values.times import Moment

BY_REFERRAL_CODE = "byReferralCode"


class UsersTable(Table[User]):
    entity = User

    def get(self, user_id: str) -> User | None:
        return self._get({"userId": user_id})

    def register_code(self, user_id: str, code: str) -> User:
        """Return the user, who can be found by `code` from now on."""
        registration = update(self.name, {"userId": user_id}, "SET referralCode = :code", code=code)
        return to_entity(User, self.client.update_item(**registration, ReturnValues="ALL_NEW")["Attributes"])

    def find_by_code(self, code: str) -> str | None:
        """Return the user id of a referral code; one that was just registered takes a moment to be found."""
        found = self.query("referralCode = :code", index=BY_REFERRAL_CODE, code=code, page_size=2)
        owners = [item["userId"] for item in islice(found.items(), 2)]
        return owners[0] if len(owners) == 1 else None

    def set_referrer(self, user_id: str, referrer_id: str, moment: Moment) -> None:
        """Raise ReferrerAlreadySetError the second time, ReferrerCycleError if this user is the referrer's referrer."""
        mine = update(
            self.name,
            {"userId": user_id},
            "SET referrerId = :referrer, referrerSetAt = :now",
            "attribute_not_exists(referrerId)",
            referrer=referrer_id,
            now=moment,
        )
        theirs = check(
            self.name, {"userId": referrer_id}, "attribute_not_exists(referrerId) OR referrerId <> :me", me=user_id
        )
        writes = [
            Write({"Update": mine}, refused=ReferrerAlreadySetError()),
            Write({"ConditionCheck": theirs}, refused=ReferrerCycleError()),
        ]
        try:
            transact(self.client, writes)
        except TransactionBusyError as busy:
            raise LedgerBusyError("many people name this referrer at the moment; please try again") from busy

    def tie(self, user_id: str, partner_id: str) -> Parameters:
        """Return the update, for a transaction, that lets a user manage this partner, unless it manages another."""
        condition = "attribute_not_exists(partnerId) OR partnerId = :partner"
        return update(self.name, {"userId": user_id}, "SET partnerId = :partner", condition, partner=partner_id)

    def untie(self, user_id: str, partner_id: str) -> Parameters:
        """Return the update, for a transaction, that reverts `tie`, if the user still manages this partner."""
        condition = "partnerId = :partner"
        return update(self.name, {"userId": user_id}, "REMOVE partnerId", condition, partner=partner_id)
