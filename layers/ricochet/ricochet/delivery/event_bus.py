"""Events about partners on the account's default EventBridge bus."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ricochet.errors import QueueRefusedError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "ricochet"


@dataclass(frozen=True)
class EventBus:
    client: EventBridgeClient

    def publish(self, kind: str, detail: dict[str, Any]) -> None:
        """Raise QueueRefusedError if the bus refuses the event."""
        entry: Any = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail)}
        reply = self.client.put_events(Entries=[entry])
        if reply.get("FailedEntryCount"):
            refused = [f"{one.get('ErrorCode')}: {one.get('ErrorMessage')}" for one in reply["Entries"]]
            raise QueueRefusedError(f"the event {kind} was refused", refused)
