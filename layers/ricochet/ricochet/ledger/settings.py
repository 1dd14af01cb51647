"""What the ledger's use cases need of the environment."""

from ricochet.settings import EnvironmentSettings


class LedgerSettings(EnvironmentSettings):
    clicks_table: str
    conversions_table: str
    earnings_table: str
    wallets_table: str
    receipts_table: str
    counters_table: str


class DecisionSettings(LedgerSettings):
    products_table: str


class CreditSettings(EnvironmentSettings):
    conversions_table: str
    earnings_table: str
    wallets_table: str


class ReferralSettings(EnvironmentSettings):
    users_table: str
    earnings_table: str
    wallets_table: str
