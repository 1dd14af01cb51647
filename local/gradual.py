"""What a deployment to prod adds to the built template: a tenth of the traffic for new code, and a way back.

Not in template.yaml: SAM takes an alias for all environments or for none, and an alias goes on serving the old version
when only a parameter or a layer has changed. Here each deployment is a release of every function.
"""

from __future__ import annotations

from typing import Any

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
