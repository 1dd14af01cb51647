"""A postback that came before is taken in again, through the same intake as the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ricochet.intake.advertiser_source import Advertisers
from ricochet.intake.intake import Intake, IntakeReply, Source
from ricochet.intake.network_source import PATH, NetworkSources
from ricochet.intake.raw_postback import RawPostback

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.settings import NetworkPostbackSettings


class Replay:
    def __init__(self, intake: Intake, advertisers: Advertisers, networks: NetworkSources) -> None:
        self._intake = intake
        self._advertisers = advertisers
        self._networks = networks

    @classmethod
    def over(cls, client: DynamoDBClient, settings: NetworkPostbackSettings) -> Self:
        return cls(
            Intake.over(client, settings), Advertisers.over(client, settings), NetworkSources.over(client, settings)
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
