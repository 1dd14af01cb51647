"""What deliveries need of the environment."""

from typing import Annotated

from pydantic import BeforeValidator

from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.http.addresses import AllowedTargets
from ricochet.settings import EnvironmentSettings

Schedule = Annotated[RetrySchedule, BeforeValidator(RetrySchedule.parse)]
Targets = Annotated[AllowedTargets, BeforeValidator(AllowedTargets.parse)]


class TargetSettings(EnvironmentSettings):
    allowed_targets: Targets = AllowedTargets()


class ReleaseSettings(EnvironmentSettings):
    partners_table: str
    deliveries_table: str
    health_table: str
    retry_queue_url: str


class ReconcileSettings(EnvironmentSettings):
    partners_table: str
    conversions_table: str
    deliveries_table: str
    health_table: str
    parking_queue_url: str


class DeliverySettings(ReleaseSettings, TargetSettings):
    parking_queue_url: str
    reply_queue_url: str
    retry_schedule: Schedule


class PartnerSettings(TargetSettings):
    partners_table: str
    users_table: str
    health_table: str


class LoginSettings(EnvironmentSettings):
    partners_table: str
    users_table: str
    partner_claim: str = ""
    """The claim of a token that names its partner; empty: only the tables say so."""
