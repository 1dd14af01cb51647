"""Queue of what partners call conversions in their replies: those of partners that are set to decide."""

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ricochet.clients import dynamodb
from ricochet.delivery.apply_partner_replies import ApplyPartnerReply
from ricochet.delivery.partner_reply import PartnerReply
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.settings import PartnerReplySettings
from ricochet.telemetry import logger, metrics, record_partner_reply

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
apply_reply = ApplyPartnerReply(DecideConversion.from_settings(dynamodb(), PartnerReplySettings.load(os.environ)))


def take(record: SQSRecord) -> None:
    about = {"message_id": record.message_id}
    try:
        word = PartnerReply.from_item(json.loads(record.body))
        about |= word.for_log()
        settlement = apply_reply(word)
    except Exception:  # logged here, since the batch keeps it to itself
        logger.exception("partner word not applied", extra=about)
        raise
    record_partner_reply(word, settlement)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)
