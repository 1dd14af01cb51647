"""Users: the referral codes they hand out, and who brought them."""

from __future__ import annotations

from typing import Any

from ricochet.clicks.user import User
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.errors import LedgerBusyError, ReferrerAlreadySetError, ReferrerCycleError

BY_REFERRAL_CODE = "byReferralCode"

TRIES = 4


class UsersTable(Table[User]):
    entity = User

    def get(self, user_id: str) -> User | None:
        return self._get({"userId": user_id})

    def register_code(self, user_id: str, code: str) -> User:
        """The user, who can be found by `code` from now on."""
        reply = self.client.update_item(
            TableName=self.name,
            Key=to_wire({"userId": user_id}),
            UpdateExpression="SET referralCode = :code",
            ExpressionAttributeValues=to_wire({":code": code}),
            ReturnValues="ALL_NEW",
        )
        return User.from_item(from_wire(reply["Attributes"]))

    def find_by_code(self, code: str) -> str | None:
        """The user id behind a referral code, which takes a moment to be found after it was registered."""
        reply = self.client.query(
            TableName=self.name,
            IndexName=BY_REFERRAL_CODE,
            KeyConditionExpression="referralCode = :code",
            ExpressionAttributeValues=to_wire({":code": code}),
            Limit=2,
        )
        owners = [from_wire(item)["userId"] for item in reply["Items"]]
        return owners[0] if len(owners) == 1 else None

    def set_referrer(self, user_id: str, referrer_id: str, moment: str) -> None:
        """Once: ReferrerAlreadySetError later, ReferrerCycleError if the referrer was brought by this user."""
        mine: Any = {
            "TableName": self.name,
            "Key": to_wire({"userId": user_id}),
            "UpdateExpression": "SET referrerId = :referrer, referrerSetAt = :now",
            "ConditionExpression": "attribute_not_exists(referrerId)",
            "ExpressionAttributeValues": to_wire({":referrer": referrer_id, ":now": moment}),
        }
        theirs: Any = {
            "TableName": self.name,
            "Key": to_wire({"userId": referrer_id}),
            "ConditionExpression": "attribute_not_exists(referrerId) OR referrerId <> :me",
            "ExpressionAttributeValues": to_wire({":me": user_id}),
        }
        for _ in range(TRIES - 1):
            if self._try_to_set(mine, theirs):
                return
        if not self._try_to_set(mine, theirs):
            raise LedgerBusyError("many people name this referrer at the moment; please try again")

    def tie(self, user_id: str, partner_id: str) -> dict[str, Any]:
        """The update, for a transaction, that lets the user see and set up this partner; not for a user of another."""
        condition = "attribute_not_exists(partnerId) OR partnerId = :partner"
        return self._change_of_partner(user_id, partner_id, "SET partnerId = :partner", condition)

    def untie(self, user_id: str, partner_id: str) -> dict[str, Any]:
        """The update, for a transaction, that ends that; the user must still be this partner's."""
        return self._change_of_partner(user_id, partner_id, "REMOVE partnerId", "partnerId = :partner")

    def _change_of_partner(self, user_id: str, partner_id: str, change: str, condition: str) -> dict[str, Any]:
        return {
            "TableName": self.name,
            "Key": to_wire({"userId": user_id}),
            "UpdateExpression": change,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": to_wire({":partner": partner_id}),
        }

    def _try_to_set(self, mine: Any, theirs: Any) -> bool:
        """False if another write was at one of the two at the same time."""
        try:
            self.client.transact_write_items(TransactItems=[{"Update": mine}, {"ConditionCheck": theirs}])
        except self.client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            if codes[:1] == ["ConditionalCheckFailed"]:
                raise ReferrerAlreadySetError from error
            if "ConditionalCheckFailed" in codes:
                raise ReferrerCycleError from error
            if "TransactionConflict" in codes:
                return False
            raise
        return True
