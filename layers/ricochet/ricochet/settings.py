"""What functions are told through their environment: each names what it needs, and fails at start without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.http.addresses import AllowedTargets
from ricochet.values.money import Currency, Price

Schedule = Annotated[RetrySchedule, BeforeValidator(RetrySchedule.parse)]
Targets = Annotated[AllowedTargets, BeforeValidator(AllowedTargets.parse)]


class Settings(BaseModel):
    """Fields are environment variables in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True, defer_build=True)

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> Self:
        """ValidationError naming each variable that is missing or malformed."""
        return cls.model_validate({name.lower(): value for name, value in environment.items()})


class ProductSettings(Settings):
    products_table: str


class ClickSettings(Settings):
    clicks_table: str
    public_base_url: str = ""  # empty: the API's own domain


class CreateClickSettings(ClickSettings, ProductSettings):
    pass


class UserSettings(Settings):
    users_table: str


class EarningSettings(Settings):
    earnings_table: str


class WalletSettings(Settings):
    wallets_table: str
    default_currency: Currency


class LedgerSettings(Settings):
    clicks_table: str
    conversions_table: str
    earnings_table: str
    wallets_table: str
    receipts_table: str
    counters_table: str


class PostbackSettings(LedgerSettings, ProductSettings):
    default_referral_rate: Price


class NetworkPostbackSettings(PostbackSettings):
    networks_table: str
    default_currency: Currency
    public_base_url: str = ""


class PostbackQueueSettings(Settings):
    postback_queue_url: str


class SettleSettings(Settings):
    conversions_table: str
    earnings_table: str
    wallets_table: str


class QuietNetworksSettings(Settings):
    networks_table: str
    receipts_table: str
    quiet_hours: int


class ReferralSettings(Settings):
    users_table: str
    earnings_table: str
    wallets_table: str


class ReleaseSettings(Settings):
    partners_table: str
    deliveries_table: str
    health_table: str
    retry_queue_url: str


class ReconcileSettings(Settings):
    partners_table: str
    conversions_table: str
    deliveries_table: str
    health_table: str
    parking_queue_url: str


class DeliverySettings(ReleaseSettings):
    parking_queue_url: str
    reply_queue_url: str
    retry_schedule: Schedule
    allowed_targets: Targets = AllowedTargets()


class AdminSettings(Settings):
    groups_claim: str


class ManageProductsSettings(AdminSettings, ProductSettings):
    default_currency: Currency


class ManageNetworksSettings(AdminSettings):
    networks_table: str
    public_base_url: str = ""


class ManageReceiptsSettings(AdminSettings, NetworkPostbackSettings):
    pass


class PartnerReplySettings(LedgerSettings, ProductSettings):
    pass


class DecisionSettings(AdminSettings, PartnerReplySettings):
    pass


class ManageDeliveriesSettings(AdminSettings):
    partners_table: str
    deliveries_table: str
    conversions_table: str
    parking_queue_url: str


class PortalSettings(UserSettings):
    partners_table: str
    groups_claim: str
    partner_claim: str = ""  # the claim that names a login's partner; empty: only what the tables say counts


class PartnerProfileSettings(PortalSettings):
    allowed_targets: Targets = AllowedTargets()


class PartnerDeliveriesSettings(PortalSettings):
    deliveries_table: str


class PartnerSettings(Settings):
    partners_table: str
    users_table: str
    health_table: str
    allowed_targets: Targets = AllowedTargets()


class ManagePartnersSettings(AdminSettings, PartnerSettings):
    pass
