"""POST and GET /api/v1/earn/postback?click_id=: an advertiser reports a conversion."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import resolver, success
from ricochet.clients import dynamodb, sqs
from ricochet.errors import ConflictingReplayError, RequestError
from ricochet.models import times
from ricochet.models.postback import RawPostback
from ricochet.sender.queues import PostbackQueue
from ricochet.settings import PostbackQueueSettings, PostbackSettings
from ricochet.telemetry import count, logger, metrics
from ricochet.use_cases.advertisers import Advertisers
from ricochet.use_cases.intake import Intake

app = resolver()
settings = PostbackSettings.load(os.environ)
advertisers, take_in = Advertisers.over(dynamodb(), settings), Intake.over(dynamodb(), settings)
fallback = PostbackQueue(sqs(), PostbackQueueSettings.load(os.environ).postback_queue_url)


@app.route("/api/v1/earn/postback", method=["GET", "POST"])
def take_postback() -> Response[Any]:
    raw = RawPostback.from_event(app.current_event.raw_event, times.now())
    try:
        reply = take_in(raw, advertisers.source())
    except RequestError as refusal:
        count("ConflictingReplays" if isinstance(refusal, ConflictingReplayError) else "PostbacksRefused")
        logger.info("postback refused", extra={"receipt_id": raw.receipt_id, "code": refusal.code})
        raise
    except Exception:  # ours to mend: the sender has done its part
        logger.exception("postback queued", extra={"receipt_id": raw.receipt_id})
        fallback.put(raw)
        count("PostbacksQueued")
        return success("Postback accepted, to be processed shortly", {"receiptId": raw.receipt_id}, status=202)
    count("PostbacksRepeated" if reply.is_duplicate else "PostbacksProcessed")
    logger.info("postback processed", extra=reply.for_log(raw.receipt_id))
    return success("Postback received and processed", reply.to_json())


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
