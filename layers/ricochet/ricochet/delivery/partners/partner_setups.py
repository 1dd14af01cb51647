"""What an operator saves of a partner: itself, whose logins are its, and that its failures are forgiven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.errors import ChangedMeanwhileError, ConflictError, LoginTakenError, PartnerExistsError

Write = tuple[ConflictError, dict[str, Any]]
"""One write of a transaction, and what it means if its condition does not hold."""


class PartnerSetups:
    """Each save is one transaction: what is refused has changed nothing, here or for the people who log in."""

    def __init__(self, partners: PartnersTable, users: UsersTable, health: HealthTable) -> None:
        self._partners = partners
        self._users = users
        self._health = health

    def create(self, partner: Partner) -> None:
        """PartnerExistsError; LoginTakenError for a user of another partner; ChangedMeanwhileError."""
        exists = PartnerExistsError(f"partner {partner.partner_id} exists already")
        creation = {"Put": self._partners.creation(partner)}
        self._save([(exists, creation), *self._ties(partner.partner_id, set(partner.logins))])

    def replace(self, after: Partner, before: Partner, *, forgiving: bool) -> None:
        """LoginTakenError; ChangedMeanwhileError if the partner is no longer as it was `before`.

        `forgiving`, its failures up to now do not count any more.
        """
        changed = ChangedMeanwhileError("the partner was changed meanwhile; read it again")
        replacement = {"Put": self._partners.replacement(after, before.revision)}
        writes = [(changed, replacement), *self._ties(after.partner_id, set(after.logins) - set(before.logins))]
        forgiveness = self._health.forgiveness(after.partner_id, after.updated_at) if forgiving else None
        if forgiveness is not None:
            under_way = ChangedMeanwhileError("deliveries to the partner were under way; please try again")
            writes.append((under_way, {"Put": forgiveness}))
        self._save([*writes, *self._unties(after.partner_id, set(before.logins) - set(after.logins))])

    def _ties(self, partner_id: str, logins: set[str]) -> Iterator[Write]:
        for user_id in logins:
            taken = LoginTakenError(f"{user_id} belongs to another partner", [f"logins: {user_id} is taken"])
            yield taken, {"Update": self._users.tie(user_id, partner_id)}

    def _unties(self, partner_id: str, logins: set[str]) -> Iterator[Write]:
        """A login that was somebody else's all along is only taken off the list."""
        for user_id in logins:
            user = self._users.get(user_id)
            if user is not None and user.partner_id == partner_id:
                changed = ChangedMeanwhileError(f"{user_id} was changed meanwhile; please try again")
                yield changed, {"Update": self._users.untie(user_id, partner_id)}

    def _save(self, writes: Sequence[Write]) -> None:
        client = self._partners.client
        try:
            client.transact_write_items(TransactItems=[write for _, write in writes])  # type: ignore[misc]
        except client.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
            for (refusal, _), code in zip(writes, codes, strict=False):
                if code == "ConditionalCheckFailed":
                    raise refusal from error
            if "TransactionConflict" in codes:
                raise ChangedMeanwhileError("somebody else was saving the same just now; please try again") from error
            raise
