"""Processes an earlier postback again, through the same intake as the first time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ricochet.intake.advertiser_source import AdvertiserSource
from ricochet.intake.intake import Intake, Record, Source
from ricochet.intake.network_source import PATH, NetworkDirectory
from ricochet.intake.postback_records import PostbackFailed
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.reply import IntakeReply

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.intake.settings import NetworkPostbackSettings


@dataclass(frozen=True)
class ReprocessPostback:
    intake: Intake
    advertisers: AdvertiserSource
    networks: NetworkDirectory
    record: Record = lambda _: None

    @classmethod
    def from_settings(
        cls, client: DynamoDBClient, settings: NetworkPostbackSettings, record: Record = lambda _: None
    ) -> Self:
        return cls(
            Intake.from_settings(client, settings, record),
            AdvertiserSource.from_settings(client, settings),
            NetworkDirectory.from_settings(client, settings),
            record,
        )

    def __call__(self, raw: RawPostback, *, is_vouched: bool = False) -> IntakeReply:
        """As `Intake`. Raise NetworkNotFoundError if the network was paused or its key replaced since then."""
        return self.intake(raw, self._source(raw), is_vouched=is_vouched)

    def _source(self, raw: RawPostback) -> Source:
        _, found, key = raw.path.partition(PATH)
        if not found:
            return self.advertisers
        try:
            return self.networks.source(key, raw.received_at)
        except Exception as failure:
            self.record(PostbackFailed(raw.receipt_id, None, failure))
            raise
