"""A queued or stored postback is processed again; what keeps it from being processed is recorded."""

import pytest

from ricochet.errors import NetworkNotFoundError
from ricochet.intake.reprocess_postback import ReprocessPostback
from tests.unit.builders import a_postback


@pytest.mark.parametrize("failure", [NetworkNotFoundError(), RuntimeError("no connection")], ids=["gone", "ours"])
def test_a_sender_that_cannot_be_found_is_recorded(failure):
    class Networks:
        def source(self, key, moment):
            raise failure

    records = []
    reprocess = ReprocessPostback(None, None, Networks(), records.append)
    with pytest.raises(type(failure)):
        reprocess(a_postback(path="/postback/some-key"))
    assert [(record.receipt_id, record.failure) for record in records] == [("RCPT-1", failure)]
