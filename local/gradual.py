"""What a deployment to prod adds to the built template: a tenth of the traffic for new code, and a way back.

Not in template.yaml: SAM takes an alias for all environments or for none, and an alias goes on serving the old version
when only a parameter or a layer has changed. Here each deployment is a release of every function.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import yaml

ALIAS = "live"
TYPE = "Canary10Percent5Minutes"
ALARMS = [{"Fn::Sub": f"${{AWS::StackName}}-{name}"} for name in ("api-errors", "postbacks-queued", "worker-errors")]
"""Any of them takes functions back to the code before.

By name: an alarm on the API would otherwise wait for the aliases that the API leads to, and they for the alarm.
"""


def make_gradual(template: dict[str, Any], release: str) -> dict[str, Any]:
    """`template` with every function published as `release` (40 hex digits or so) behind an alias, step by step."""
    published = {
        "AutoPublishAlias": ALIAS,
        "AutoPublishCodeSha256": release,
        "DeploymentPreference": {"Type": TYPE, "Alarms": ALARMS},
    }
    resources = {
        name: resource | {"Properties": resource["Properties"] | published}
        if resource["Type"] == "AWS::Serverless::Function"
        else resource
        for name, resource in template["Resources"].items()
    }
    return template | {"Resources": resources}


def release_gradually(built: Path) -> None:
    """Makes the built template of this deployment a release of its own."""
    template = make_gradual(yaml.safe_load(built.read_text()), release=secrets.token_hex(20))
    built.write_text(json.dumps(template, indent=2))  # JSON is YAML, without aliases, which CloudFormation refuses
