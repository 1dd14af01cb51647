"""The deployed functions process the events in events/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

EVENTS = sorted((Path(__file__).parents[2] / "events").glob("*.json"))
FUNCTIONS = sorted(path.name for path in (Path(__file__).parents[2] / "functions").iterdir() if path.is_dir())
# The products and clicks of the demo do not exist here; everything else does.
FORBIDDEN = ("partner_profile", "partner_deliveries")  # the login belongs to no partner
NOT_FOUND = ("create_click", "get_click", "track_click", "receive_network_postback", "receive_postback", "set_referrer")


def invoke(stack, path: Path) -> tuple[dict[str, Any], Any]:
    function = path.name.partition(".")[0].title().replace("_", "")
    reply = stack.aws.lambda_.invoke(FunctionName=stack.function(function), Payload=path.read_bytes())
    return reply, json.loads(reply["Payload"].read())


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_its_function_processes_the_event(stack, path):
    reply, answer = invoke(stack, path)
    assert "FunctionError" not in reply
    if "Records" in json.loads(path.read_text()) or "statusCode" not in (answer or {}):
        assert not (answer or {}).get("batchItemFailures")
    else:
        function = path.name.partition(".")[0]
        by_function = dict.fromkeys(NOT_FOUND, 404) | dict.fromkeys(FORBIDDEN, 403)
        expected = by_function.get(function, 201 if "create" in path.name else 200)
        assert answer["statusCode"] == expected


def test_every_function_has_an_event():
    assert sorted({path.name.partition(".")[0] for path in EVENTS}) == FUNCTIONS
