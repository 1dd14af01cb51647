"""What clicks need of the environment."""

from ricochet.settings import EnvironmentSettings


class CreateClickSettings(EnvironmentSettings):
    clicks_table: str
    products_table: str
