"""Finds networks that usually post and have sent nothing for some hours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ricochet.intake.networks_table import NetworksTable
from ricochet.intake.quiet_networks import days_before, is_usual, recent_days, silent_since
from ricochet.ledger.receipts_table import ReceiptsTable
from ricochet.metrics import Metric
from ricochet.records import LogLine, Measurement
from ricochet.values import times
from ricochet.values.times import Moment

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from ricochet.intake.settings import QuietNetworksSettings


@dataclass(frozen=True)
class QuietNetworks:
    network_ids: list[str]

    def log_lines(self) -> Iterator[LogLine]:
        for network_id in self.network_ids:
            yield LogLine("network quiet", {"network_id": network_id}, logging.WARNING)

    def measurements(self) -> Iterator[Measurement]:
        yield Measurement(Metric.QUIET_NETWORKS, len(self.network_ids))


@dataclass(frozen=True)
class FindQuietNetworks:
    networks: NetworksTable
    receipts: ReceiptsTable
    clock: Callable[[], Moment] = times.now

    @classmethod
    def from_settings(cls, client: DynamoDBClient, settings: QuietNetworksSettings) -> Self:
        return cls(NetworksTable(client, settings.networks_table), ReceiptsTable(client, settings.receipts_table))

    def __call__(self, hours: int) -> QuietNetworks:
        """Find active networks that sent nothing for `hours` but usually do; none for 0 hours."""
        moment = self.clock()
        ids = self.networks.active_ids() if hours else []
        return QuietNetworks([one for one in ids if self._is_quiet(f"network:{one}", moment, hours)])

    def _is_quiet(self, source: str, moment: Moment, hours: int) -> bool:
        since = silent_since(moment, hours)
        for day in recent_days(moment, hours):
            last = self.receipts.last_of_day(source, day)
            if last is not None:
                if last.received_at > since:
                    return False
                break
        return is_usual([day for day in days_before(moment, hours) if self.receipts.last_of_day(source, day)])
