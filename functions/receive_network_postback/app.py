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
from ricochet.intake.postback_records import PostbackFailed, PostbackRefused
from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.telemetry import logger, metrics, record
from ricochet.values import times


class Settings(NetworkPostbackSettings):
    postback_queue_url: str


app = resolver()
settings = Settings.load(os.environ)
networks = NetworkDirectory.from_settings(dynamodb(), settings)
process = Intake.from_settings(dynamodb(), settings, record)
fallback = PostbackQueue(when_needed(sqs), settings.postback_queue_url)


@app.route("/postback/<unique_key>", method=["GET", "POST"])
def receive_postback(unique_key: str) -> Response[Any]:
    base_url = settings.public_base_url or public_base_url(app.current_event)
    raw = RawPostback.from_event(app.current_event.raw_event, times.now(), base_url)
    try:
        return acknowledge(raw, find_sender(unique_key, raw))
    except NetworkNotFoundError:
        raise
    except Exception:  # ours to repair: the sender has done its part
        fallback.put(raw)
        return queued(raw.receipt_id)


def find_sender(unique_key: str, raw: RawPostback) -> NetworkSource:
    try:
        return networks.source(unique_key, raw.received_at)
    except NetworkNotFoundError as refusal:
        record(PostbackRefused(None, None, refusal))
        raise
    except Exception as failure:
        record(PostbackFailed(raw.receipt_id, None, failure))
        raise


def acknowledge(raw: RawPostback, source: NetworkSource) -> Response[Any]:
    """Process the postback. A refused one is acknowledged as well, or the network would repeat it for days."""
    answer = source.acknowledgement(raw)
    try:
        reply = process(raw, source)
    except RequestError as refusal:
        if status_of(refusal) in (400, 403, 413):
            return failure(refusal)
        return Response(200, answer.content_type, answer.refusal_text(refusal.message))
    return Response(200, answer.content_type, answer.text(reply.outcome))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
