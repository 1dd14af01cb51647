"""Which partner a login belongs to; nobody sees or sets up another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.errors import ForbiddenError
from ricochet.values.lifecycle import Lifecycle

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.delivery.settings import LoginSettings


@dataclass(frozen=True)
class PartnerLogins:
    """`claim` is the claim that names a login's partner, where the issuer of the tokens knows it; empty: none does."""

    partners: PartnersTable
    users: UsersTable
    claim: str

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: LoginSettings) -> Self:
        return cls(
            PartnersTable(client, settings.partners_table),
            UsersTable(client, settings.users_table),
            settings.partner_claim,
        )

    def partner_of(self, user_id: str, claims: Mapping[str, str]) -> Partner:
        """ForbiddenError unless the login belongs to a partner, which is not archived.

        Without the claim, the user must name the partner and the partner the user: either can be changed first.
        """
        named = claims.get(self.claim) if self.claim else None
        partner_id = named or self._tied(user_id)
        partner = self.partners.get(partner_id) if partner_id else None
        if partner is None or partner.status is Lifecycle.ARCHIVED or not (named or user_id in partner.logins):
            raise ForbiddenError("this login belongs to no partner")
        return partner

    def _tied(self, user_id: str) -> str | None:
        user = self.users.get(user_id)
        return user.partner_id if user else None
