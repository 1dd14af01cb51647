"""What intake needs of the environment."""

from ricochet.ledger.settings import LedgerSettings
from ricochet.settings import EnvironmentSettings, PublicUrlSettings
from ricochet.values.money import Currency, Price


class PostbackSettings(LedgerSettings):
    products_table: str
    default_referral_rate: Price


class NetworkPostbackSettings(PostbackSettings, PublicUrlSettings):
    networks_table: str
    default_currency: Currency


class QuietNetworksSettings(EnvironmentSettings):
    networks_table: str
    receipts_table: str
