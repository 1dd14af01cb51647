"""Queue of postbacks that our own side failed on: they are processed again, as they arrived."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ricochet.clients import dynamodb
from ricochet.errors import NetworkNotFoundError, RequestError
from ricochet.intake.postback_records import PostbackFailed, PostbackProcessed, PostbackRefused
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.telemetry import logger, metrics, record

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
reprocess = ReprocessPostback.from_settings(dynamodb(), NetworkPostbackSettings.load(os.environ))


def reprocess_message(message: SQSRecord) -> None:
    raw, source = RawPostback.from_message(message.body), None
    try:
        source = reprocess.source(raw)
        reply = reprocess(raw, source)
    except NetworkNotFoundError as failure:  # paused or replaced since then: a person must look, and may bring it back
        record(PostbackFailed(raw.receipt_id, source, failure))
        raise
    except RequestError as refusal:  # decided, and its receipt is written
        record(PostbackRefused(raw.receipt_id, source, refusal))
    except Exception as failure:
        record(PostbackFailed(raw.receipt_id, source, failure))
        raise
    else:
        record(PostbackProcessed(raw.receipt_id, source, reply))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=reprocess_message, processor=processor, context=context)
