"""Queue of partner replies with a status, from partners whose replies may change it."""

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ricochet import telemetry
from ricochet.clients import dynamodb
from ricochet.delivery.apply_partner_replies import ApplyPartnerReply, ReplyResult
from ricochet.delivery.partner_reply import PartnerReply
from ricochet.ledger.decide_conversion import DecideConversion
from ricochet.ledger.settings import DecisionSettings
from ricochet.telemetry import logger, metrics

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
apply_reply = ApplyPartnerReply(DecideConversion.from_settings(dynamodb(), DecisionSettings.load(os.environ)))


def apply_message(record: SQSRecord) -> None:
    fields = {"message_id": record.message_id}
    try:
        reply = PartnerReply.from_item(json.loads(record.body))
        fields |= reply.log_fields()
        settlement = apply_reply(reply)
    except Exception:  # logged here, since the batch processor does not
        logger.exception("partner reply not applied", extra=fields)
        raise
    telemetry.record(ReplyResult(reply, settlement))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=apply_message, processor=processor, context=context)
