"""The queue of postbacks that our own side failed on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ricochet.errors import QueueRefusedError
from ricochet.intake.raw_postback import RawPostback

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class PostbackQueue:
    """Postbacks to be processed again, exactly as they arrived."""

    client: SQSClient
    url: str

    def put(self, raw: RawPostback) -> None:
        """Raise QueueRefusedError if the queue does not accept it."""
        try:
            self.client.send_message(QueueUrl=self.url, MessageBody=raw.to_message())
        except (BotoCoreError, ClientError) as error:
            raise QueueRefusedError("the postback could not be accepted; please send it again") from error
