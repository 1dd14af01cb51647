"""A partner as an operator saves it: the row itself, the users who log in for it, and its failures forgiven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.dynamodb.transaction import TransactionBusyError, Write, transact
from ricochet.errors import ChangedMeanwhileError, LoginTakenError, PartnerExistsError


@dataclass(frozen=True)
class PartnerSetups:
    """Each save is one transaction: what is refused has changed nothing, neither the partner nor its users."""

    partners: PartnersTable
    users: UsersTable
    health: HealthTable

    def create(self, partner: Partner) -> None:
        """Raise PartnerExistsError, LoginTakenError for a user of another partner, or ChangedMeanwhileError."""
        exists = PartnerExistsError(f"partner {partner.partner_id} exists already")
        creation = Write({"Put": self.partners.creation(partner)}, refused=exists)
        self._save([creation, *self._ties(partner.partner_id, set(partner.logins))])

    def replace(self, after: Partner, before: Partner, *, forgiving: bool) -> None:
        """Raise LoginTakenError, or ChangedMeanwhileError if the partner is no longer as it was `before`.

        `forgiving`: its failures up to now do not count any more.
        """
        changed = ChangedMeanwhileError("the partner was changed at the same time; read it again")
        writes = [
            Write({"Put": self.partners.replacement(after, before.revision)}, refused=changed),
            *self._ties(after.partner_id, set(after.logins) - set(before.logins)),
        ]
        forgiveness = self.health.forgiveness(after.partner_id, after.updated_at) if forgiving else None
        if forgiveness is not None:
            under_way = ChangedMeanwhileError("deliveries to the partner were under way; please try again")
            writes.append(Write({"Put": forgiveness}, refused=under_way))
        self._save([*writes, *self._unties(after.partner_id, set(before.logins) - set(after.logins))])

    def _ties(self, partner_id: str, logins: set[str]) -> Iterator[Write]:
        for user_id in logins:
            taken = LoginTakenError(f"{user_id} belongs to another partner", [f"logins: {user_id} is taken"])
            yield Write({"Update": self.users.tie(user_id, partner_id)}, refused=taken)

    def _unties(self, partner_id: str, logins: set[str]) -> Iterator[Write]:
        """A login that has always been another partner's is only taken off the list."""
        for user_id in logins:
            user = self.users.get(user_id)
            if user is not None and user.partner_id == partner_id:
                changed = ChangedMeanwhileError(f"{user_id} was changed at the same time; please try again")
                yield Write({"Update": self.users.untie(user_id, partner_id)}, refused=changed)

    def _save(self, writes: list[Write]) -> None:
        try:
            transact(self.partners.client, writes)
        except TransactionBusyError as busy:
            if not busy.is_conflict:
                raise
            raise ChangedMeanwhileError("somebody else was saving the same just now; please try again") from busy
