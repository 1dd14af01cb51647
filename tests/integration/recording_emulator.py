"""MiniStack that writes down each call that needs a right, and whose it was: `<its interpreter> <this> <file>`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id

RECORD = Path(sys.argv.pop(1)).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115 - open as long as it runs
enforce = iam_evaluator.enforce


def recording_enforce(access_key, action, service, region, resource_arn="*", service_context=None):
    denied = enforce(access_key, action, service, region, resource_arn, service_context)
    principal = iam_evaluator.resolve_principal(access_key or "", get_account_id())
    call = {"principal": getattr(principal, "arn", ""), "action": action, "resource": resource_arn}
    RECORD.write(json.dumps(call | {"allowed": denied is None}) + "\n")
    return denied


iam_evaluator.enforce = recording_enforce
app.main()
