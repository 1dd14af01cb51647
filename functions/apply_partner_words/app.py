"""Queue of what partners call conversions in their replies: those of partners that are set to decide."""

import json
import os
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ricochet.clients import dynamodb
from ricochet.sender.queues import PartnerWord
from ricochet.settings import PartnerWordSettings
from ricochet.telemetry import count, logger, metrics
from ricochet.use_cases.apply_partner_word import ApplyPartnerWord
from ricochet.use_cases.decisions import Decisions

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
apply_word = ApplyPartnerWord(Decisions.over(dynamodb(), PartnerWordSettings.load(os.environ)))


def take(record: SQSRecord) -> None:
    word = PartnerWord.from_item(json.loads(record.body))
    outcome = apply_word(word)
    ids = {"conversion_id": word.conversion_id, "delivery_id": word.delivery_id, "partner_id": word.partner_id}
    logger.info("partner word", extra=ids | {"status": word.status, "outcome": outcome})
    count("PartnerWordsIgnored" if outcome == "ignored" else "PartnerWordsApplied")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)
