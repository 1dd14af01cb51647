"""MiniStack that records each call that needs a permission, and its caller: `<its interpreter> <this> <file>`."""

from __future__ import annotations

import json
import os
import sys

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id

RECORD = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
enforce = iam_evaluator.enforce


def recording_enforce(access_key, action, service, region, resource_arn="*", service_context=None):
    denied = enforce(access_key, action, service, region, resource_arn, service_context)
    principal = iam_evaluator.resolve_principal(access_key or "", get_account_id())
    call = {"principal": getattr(principal, "arn", ""), "action": action, "resource": resource_arn}
    line = json.dumps(call | {"allowed": denied is None}) + "\n"
    os.write(RECORD, line.encode())  # a whole line at once: many threads write, and a test may be reading
    return denied


iam_evaluator.enforce = recording_enforce
app.main()
