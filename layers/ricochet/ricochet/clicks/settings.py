"""The environment variables that clicks need."""

from ricochet.settings import EnvironmentSettings


class CreateClickSettings(EnvironmentSettings):
    clicks_table: str
    products_table: str
