"""Queue of postbacks that our own side failed on: they are taken in again, as they arrived."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ricochet.clients import dynamodb
from ricochet.errors import NetworkNotFoundError, RequestError
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.settings import NetworkPostbackSettings
from ricochet.telemetry import logger, metrics, record_postback, record_refusal, record_server_failure

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
take_again = ReprocessPostback.from_settings(dynamodb(), NetworkPostbackSettings.load(os.environ))


def take(record: SQSRecord) -> None:
    raw = RawPostback.from_message(record.body)
    source = None
    try:
        source = take_again.source(raw)
        reply = take_again(raw, source)
    except NetworkNotFoundError as gone:  # paused or replaced meanwhile: a person must look, and may bring it back
        record_server_failure(raw.receipt_id, gone, source)
        raise
    except RequestError as refusal:  # decided after all, and its receipt is written
        record_refusal(raw.receipt_id, source, refusal)
    except Exception as failure:
        record_server_failure(raw.receipt_id, failure, source)
        raise
    else:
        record_postback(raw.receipt_id, source, reply)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)
