"""What a deployment to prod adds to the built template: every function is a release behind an alias.

A release gets a tenth of the traffic first, with a way back, or all of it at once. Not in template.yaml: SAM takes an
alias for all environments or for none, and an alias goes on serving the old version when only a parameter or a layer
has changed. Here each deployment is a release of every function.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import yaml

ALIAS = "live"
ALARMS = [{"Fn::Sub": f"${{AWS::StackName}}-{name}"} for name in ("api-errors", "postbacks-queued", "worker-errors")]
"""Any of them takes functions back to the code before.

By name: an alarm on the API would otherwise wait for the aliases that the API leads to, and they for the alarm.
"""
GRADUALLY = {"Type": "Canary10Percent5Minutes", "Alarms": ALARMS}
AT_ONCE = {"Enabled": False}
"""CloudFormation moves the alias itself: CodeDeploy refuses to while an alarm rings.

The alias stays: routes, queues, streams and schedules lead to it.
"""


def published(template: dict[str, Any], release: str, preference: dict[str, Any]) -> dict[str, Any]:
    """`template` with every function published as `release` (40 hex digits or so) behind an alias."""
    added = {"AutoPublishAlias": ALIAS, "AutoPublishCodeSha256": release, "DeploymentPreference": preference}
    resources = {
        name: resource | {"Properties": resource["Properties"] | added}
        if resource["Type"] == "AWS::Serverless::Function"
        else resource
        for name, resource in template["Resources"].items()
    }
    return template | {"Resources": resources}


def publish(built: Path, preference: dict[str, Any]) -> None:
    """Makes the built template of this deployment a release of its own."""
    template = published(yaml.safe_load(built.read_text()), secrets.token_hex(20), preference)
    built.write_text(json.dumps(template, indent=2))  # JSON is YAML, without aliases, which CloudFormation refuses
