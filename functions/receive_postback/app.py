"""POST and GET /api/v1/earn/postback?click_id=: an advertiser reports a conversion."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import queued, resolver, success
from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.errors import RequestError
from ricochet.intake.advertiser_source import AdvertiserSource
from ricochet.intake.intake import Intake
from ricochet.intake.postback_queue import PostbackQueue
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.reply import Reported
from ricochet.intake.settings import PostbackSettings
from ricochet.telemetry import logger, metrics, record
from ricochet.values import times


class Settings(PostbackSettings):
    postback_queue_url: str


app = resolver()
settings = Settings.load(os.environ)
advertisers = AdvertiserSource.from_settings(dynamodb(), settings)
process = Intake.from_settings(dynamodb(), settings, record)
fallback = PostbackQueue(when_needed(sqs), settings.postback_queue_url)


@app.route("/api/v1/earn/postback", method=["GET", "POST"])
def receive_postback() -> Response[Any]:
    raw = RawPostback.from_event(app.current_event.raw_event, times.now())
    try:
        reply = process(raw, advertisers)
    except RequestError:
        raise
    except Exception:  # ours to repair: the sender has done its part
        fallback.put(raw)
        return queued(raw.receipt_id)
    return success("Postback received and processed", Reported.of(reply))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
