"""Gradual deployment to prod: every function of the built template becomes a release behind an alias.

A release gets a tenth of the traffic first and can be rolled back, or it gets all traffic at once. This is not in
template.yaml, because SAM has an alias for all environments or for none, and because an alias keeps serving the old
version if only a parameter or a layer has changed. Here each deployment is a release of every function.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import yaml

ALIAS = "live"
ALARMS = [{"Fn::Sub": f"${{AWS::StackName}}-{name}"} for name in ("api-errors", "postbacks-queued", "worker-errors")]
"""Any of these alarms rolls functions back to the code before.

They are given by name: the alarm on the API depends on the aliases that the API calls; a reference would be circular.
"""
GRADUALLY = {"Type": "Canary10Percent5Minutes", "Alarms": ALARMS}
AT_ONCE = {"Enabled": False}
"""CloudFormation moves the alias itself, because CodeDeploy refuses to while an alarm is ringing.

The alias stays: routes, queues, streams and schedules invoke it.
"""


def published(template: dict[str, Any], release: str, preference: dict[str, Any]) -> dict[str, Any]:
    """Return `template` with every function published as `release` (a hex string) behind an alias."""
    added = {"AutoPublishAlias": ALIAS, "AutoPublishCodeSha256": release, "DeploymentPreference": preference}
    resources = {
        name: resource | {"Properties": resource["Properties"] | added}
        if resource["Type"] == "AWS::Serverless::Function"
        else resource
        for name, resource in template["Resources"].items()
    }
    return template | {"Resources": resources}


def publish(built: Path, preference: dict[str, Any]) -> None:
    """Rewrite the built template as a new release."""
    template = published(yaml.safe_load(built.read_text()), secrets.token_hex(20), preference)
    built.write_text(json.dumps(template, indent=2))  # JSON is YAML without anchors, which CloudFormation refuses
