"""Each hour: find networks that usually post and have sent nothing for some time."""

import os
from typing import Any

from ricochet.clients import dynamodb
from ricochet.intake.find_quiet_networks import FindQuietNetworks
from ricochet.intake.settings import QuietNetworksSettings
from ricochet.telemetry import logger, metrics, record


class Settings(QuietNetworksSettings):
    quiet_hours: int


settings = Settings.load(os.environ)
find = FindQuietNetworks.from_settings(dynamodb(), settings)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
    """An operator may pass `hours` to use instead of `QuietHours`."""
    quiet = find(event.get("hours", settings.quiet_hours))
    record(quiet)
    return {"quiet": quiet.network_ids}
