"""An attempt for which no request can be composed is a failed attempt, and nothing is sent."""

import pytest

from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.worker import DeliveryWorker
from ricochet.http.outbound import Method
from tests.unit.builders import IN_AN_HOUR, a_delivery, a_notice, a_partner


class UnusedSender:
    def send(self, outbound):
        raise AssertionError(f"{outbound.url} was sent")


@pytest.mark.parametrize(
    ("notice", "partner", "error"),
    [
        (
            {"payout": ""},
            {"method": Method.POST, "body_template": '{"money": {payout}}'},
            "the body is not JSON once its macros are filled in (Expecting value: line 1 column 11 (char 10))",
        ),
        ({"sub1": "x" * 9000}, {}, "the URL is over 8 KiB once its macros are filled in"),
        ({"sub1": ".."}, {"postback_url": "https://p.example/{sub1}/x"}, "the URL's path has . or .. in it"),
        ({"sub1": "\ud800"}, {}, "a macro's value is not valid Unicode"),
        ({}, {"postback_url": "https://?token=s3cret"}, "the URL is invalid once its macros are filled in"),
    ],
)
def test_attempt_without_a_request_fails_with_the_reason(notice, partner, error):
    worker = DeliveryWorker(*[None] * 3, UnusedSender(), RetrySchedule((10,)), *[None] * 3, clock=lambda: IN_AN_HOUR)
    partner = a_partner(**{"postback_url": "https://p.example/cb?a={sub1}"} | partner)
    row = worker._send(a_delivery(a_notice(**notice)), partner)
    assert row.state is not DeliveryState.DELIVERED
    (attempt,) = row.attempts
    assert (attempt.status_code, attempt.at, row.url) == (None, IN_AN_HOUR, None)
    assert attempt.error.startswith(error)
