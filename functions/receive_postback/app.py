"""POST and GET /api/v1/earn/postback?click_id=: an advertiser reports a conversion."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import queued, resolver, success
from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.errors import RequestError
from ricochet.intake.advertiser_source import AdvertiserDirectory
from ricochet.intake.intake import Intake, Reported
from ricochet.intake.postback_queue import PostbackQueue
from ricochet.intake.raw_postback import RawPostback
from ricochet.settings import PostbackQueueSettings, PostbackSettings
from ricochet.telemetry import logger, metrics, record_postback, record_refusal
from ricochet.values import times

app = resolver()
settings = PostbackSettings.load(os.environ)
advertisers, take_in = (
    AdvertiserDirectory.from_settings(dynamodb(), settings),
    Intake.from_settings(dynamodb(), settings),
)
fallback = PostbackQueue(when_needed(sqs), PostbackQueueSettings.load(os.environ).postback_queue_url)


@app.route("/api/v1/earn/postback", method=["GET", "POST"])
def take_postback() -> Response[Any]:
    raw = RawPostback.from_event(app.current_event.raw_event, times.now())
    source = advertisers.source()
    try:
        reply = take_in(raw, source)
    except RequestError as refusal:
        record_refusal(raw.receipt_id, source, refusal)
        raise
    except Exception as failure:  # ours to mend: the sender has done its part
        return queued(raw, fallback, failure, source)
    record_postback(raw.receipt_id, source, reply)
    return success("Postback received and processed", Reported.of(reply))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
