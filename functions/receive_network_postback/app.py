"""POST and GET /postback/{uniqueKey}: an offer network, ClickBank or a tracker reports a conversion."""

import os
from typing import Any

from aws_lambda_powertools.event_handler import Response

from ricochet.api import failure, public_base_url, resolver, status_of, success
from ricochet.clients import dynamodb, sqs
from ricochet.errors import ConflictingReplayError, NetworkNotFoundError, RequestError
from ricochet.models import times
from ricochet.models.postback import RawPostback
from ricochet.sender.queues import PostbackQueue
from ricochet.settings import NetworkPostbackSettings, PostbackQueueSettings
from ricochet.telemetry import count, logger, metrics
from ricochet.use_cases.intake import Intake
from ricochet.use_cases.networks import NetworkSource, NetworkSources

app = resolver()
settings = NetworkPostbackSettings.load(os.environ)
networks, take_in = NetworkSources.over(dynamodb(), settings), Intake.over(dynamodb(), settings)
fallback = PostbackQueue(sqs(), PostbackQueueSettings.load(os.environ).postback_queue_url)


@app.route("/postback/<unique_key>", method=["GET", "POST"])
def take_postback(unique_key: str) -> Response[Any]:
    base_url = settings.public_base_url or public_base_url(app.current_event)
    raw = RawPostback.from_event(app.current_event.raw_event, times.now(), base_url)
    try:
        return acknowledge(raw, networks.source(unique_key, raw.received_at))
    except NetworkNotFoundError:
        raise
    except Exception:  # ours to mend: the sender has done its part
        logger.exception("postback queued", extra={"receipt_id": raw.receipt_id})
        fallback.put(raw)
        count("PostbacksQueued")
        return success("Postback accepted, to be processed shortly", {"receiptId": raw.receipt_id}, status=202)


def acknowledge(raw: RawPostback, source: NetworkSource) -> Response[Any]:
    """Takes the postback in. What we decided against is acknowledged too, or the network would repeat it for days."""
    answer = source.acknowledgement(raw)
    try:
        reply = take_in(raw, source)
    except RequestError as refusal:
        count("ConflictingReplays" if isinstance(refusal, ConflictingReplayError) else "PostbacksRefused")
        extra = {"receipt_id": raw.receipt_id, "network": source.name, "code": refusal.code}
        logger.info("postback refused", extra=extra)
        if status_of(refusal) in (400, 403, 413):
            return failure(refusal)
        return Response(200, answer.content_type, answer.text("refused", refusal.message))
    count("PostbacksRepeated" if reply.is_duplicate else "PostbacksProcessed")
    logger.info("postback processed", extra=reply.for_log(raw.receipt_id) | {"network": source.name})
    return Response(200, answer.content_type, answer.text(reply.outcome))


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
