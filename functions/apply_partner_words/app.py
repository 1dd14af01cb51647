"""Queue of what partners call conversions in their replies: those of partners that are set to decide."""

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ricochet.clients import dynamodb
from ricochet.delivery.apply_partner_replies import ApplyPartnerWord
from ricochet.delivery.partner_reply import PartnerWord
from ricochet.ledger.decide_conversion import Decisions
from ricochet.settings import PartnerWordSettings
from ricochet.telemetry import logger, metrics, tell_partner_word

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
apply_word = ApplyPartnerWord(Decisions.over(dynamodb(), PartnerWordSettings.load(os.environ)))


def take(record: SQSRecord) -> None:
    about = {"message_id": record.message_id}
    try:
        word = PartnerWord.from_item(json.loads(record.body))
        about |= word.for_log()
        settlement = apply_word(word)
    except Exception:  # logged here, since the batch keeps it to itself
        logger.exception("partner word not applied", extra=about)
        raise
    tell_partner_word(word, settlement)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)
