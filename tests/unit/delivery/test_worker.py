"""An attempt without a request is an attempt that failed, and nobody is asked anything."""

import pytest

from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.send_delivery import Attempts
from ricochet.http.outbound import Method
from tests.unit.builders import IN_AN_HOUR, a_delivery, a_notice, a_partner


class NobodyAsked:
    def send(self, outbound):
        raise AssertionError(f"{outbound.url} was asked")


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
        ({}, {"postback_url": "https://?token=s3cret"}, "the URL is none once its macros are filled in"),
    ],
)
def test_a_request_that_cannot_be_made_fails_its_attempt_in_words(notice, partner, error):
    attempt = Attempts(NobodyAsked(), RetrySchedule((10,)), lambda: IN_AN_HOUR)
    partner = a_partner(**{"postback_url": "https://p.example/cb?a={sub1}"} | partner)
    row = attempt(a_delivery(a_notice(**notice)), partner)
    assert row.state is not DeliveryState.DELIVERED
    (made,) = row.attempts
    assert (made.status_code, made.at, row.url) == (None, IN_AN_HOUR, None)
    assert made.error.startswith(error)
