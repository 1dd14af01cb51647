"""POST and GET /postback/{uniqueKey}: an offer network, ClickBank or a tracker reports a conversion."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import failure, public_base_url, queued, resolver, status_of
from ricochet.clients import dynamodb, sqs, when_needed
from ricochet.errors import NetworkNotFoundError, RequestError
from ricochet.intake.intake import Intake
from ricochet.intake.network_source import NetworkDirectory, NetworkSource
from ricochet.intake.postback_queue import PostbackQueue
from ricochet.intake.raw_postback import RawPostback
from ricochet.settings import NetworkPostbackSettings, PostbackQueueSettings
from ricochet.telemetry import logger, metrics, record_postback, record_refusal
from ricochet.values import times

app = resolver()
settings = NetworkPostbackSettings.load(os.environ)
networks, take_in = NetworkDirectory.from_settings(dynamodb(), settings), Intake.from_settings(dynamodb(), settings)
fallback = PostbackQueue(when_needed(sqs), PostbackQueueSettings.load(os.environ).postback_queue_url)


@app.route("/postback/<unique_key>", method=["GET", "POST"])
def take_postback(unique_key: str) -> Response[Any]:
    base_url = settings.public_base_url or public_base_url(app.current_event)
    raw = RawPostback.from_event(app.current_event.raw_event, times.now(), base_url)
    source = None
    try:
        source = networks.source(unique_key, raw.received_at)
        return acknowledge(raw, source)
    except NetworkNotFoundError as refusal:
        record_refusal(None, None, refusal)
        raise
    except Exception as failure:  # ours to mend: the sender has done its part
        return queued(raw, fallback, failure, source)


def acknowledge(raw: RawPostback, source: NetworkSource) -> Response[Any]:
    """Takes the postback in. What we decided against is acknowledged too, or the network would repeat it for days."""
    answer = source.acknowledgement(raw)
    try:
        reply = take_in(raw, source)
    except RequestError as refusal:
        record_refusal(raw.receipt_id, source, refusal)
        if status_of(refusal) in (400, 403, 413):
            return failure(refusal)
        return Response(200, answer.content_type, answer.text("refused", refusal.message))
    record_postback(raw.receipt_id, source, reply)
    return Response(200, answer.content_type, answer.text(reply.outcome))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
