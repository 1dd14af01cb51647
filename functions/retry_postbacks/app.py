"""Queue of postbacks that our own side failed on: they are processed again, as they arrived."""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from ricochet import telemetry
from ricochet.clients import dynamodb
from ricochet.errors import NetworkNotFoundError, RequestError
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.reprocess_postback import ReprocessPostback
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.telemetry import logger, metrics

processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
reprocess = ReprocessPostback.from_settings(dynamodb(), NetworkPostbackSettings.load(os.environ), telemetry.record)


def reprocess_message(record: SQSRecord) -> None:
    try:
        reprocess(RawPostback.from_message(record.body))
    except NetworkNotFoundError:  # paused or replaced since then: an operator must look, and may resume it
        raise
    except RequestError:  # decided: it was recorded, and its receipt is written
        return


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event=event, record_handler=reprocess_message, processor=processor, context=context)
