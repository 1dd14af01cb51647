"""A postback that came before is taken in again, through the same intake as the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ricochet.intake.advertiser_source import AdvertiserDirectory
from ricochet.intake.intake import Intake, IntakeReply, Source
from ricochet.intake.network_source import PATH, NetworkDirectory
from ricochet.intake.raw_postback import RawPostback

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.intake.settings import NetworkPostbackSettings


class ReprocessPostback:
    def __init__(self, intake: Intake, advertisers: AdvertiserDirectory, networks: NetworkDirectory) -> None:
        self._intake = intake
        self._advertisers = advertisers
        self._networks = networks

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: NetworkPostbackSettings) -> Self:
        return cls(
            Intake.from_settings(client, settings),
            AdvertiserDirectory.from_settings(client, settings),
            NetworkDirectory.from_settings(client, settings),
        )

    def __call__(self, raw: RawPostback, source: Source, *, vouched_for: bool = False) -> IntakeReply:
        """As `Intake`."""
        return self._intake(raw, source, vouched_for=vouched_for)

    def source(self, raw: RawPostback) -> Source:
        """Who speaks; NetworkNotFoundError if the key is out of use by now."""
        _, found, key = raw.path.partition(PATH)
        if not found:
            return self._advertisers.source()
        return self._networks.source(key, raw.received_at)
