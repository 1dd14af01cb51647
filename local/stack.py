"""The real template, built by `sam build` and deployed to the embedded AWS by `sam deploy`."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulator import Aws, Emulator
from local.routes import create_routes
from local.workspace import LOCAL, ROOT, LocalError, architecture, build_environment

STACK_NAME = "ricochet-local"
BUCKET = "ricochet-local-artifacts"
_SOURCES = ("template.yaml", "samconfig.toml", "functions", "layers")


@dataclass(frozen=True)
class Stack:
    name: str
    aws: Aws
    api_url: str
    outputs: dict[str, str]

    def function(self, logical_id: str) -> str:
        """Return the deployed name of a function in the template."""
        reply = self.aws.cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return reply["StackResourceDetail"]["PhysicalResourceId"]

    def table(self, name: str) -> str:
        return self.outputs[f"{name}Table"]


def build() -> Path:
    """Return the built template of the current sources; build it if needed, one process at a time."""
    builds = LOCAL / "builds"
    target = builds / _fingerprint()
    with (LOCAL / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "template.yaml").exists():
            shutil.rmtree(builds, ignore_errors=True)
            unfinished = builds / "unfinished"
            _sam("build", "--build-dir", str(unfinished))
            unfinished.rename(target)
    return target / "template.yaml"


def deploy(emulator: Emulator, **parameters: str) -> Stack:
    """Deploy or update the stack, with parameters that override the local ones, and create the API's routes."""
    aws = emulator.aws
    if BUCKET not in {bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]}:
        aws.s3.create_bucket(Bucket=BUCKET)
    existing = _outputs(aws)
    overrides = {"Environment": "local", "Architecture": architecture(), "AccessTokenHours": "24"} | parameters
    if existing:
        overrides["PublicBaseUrl"] = _api_url(emulator, existing)
    _sam(
        *("deploy", "--template-file", str(build()), "--no-progressbar"),
        *("--parameter-overrides", *(f"{name}={value}" for name, value in overrides.items() if value)),
        endpoint_url=emulator.endpoint_url,
    )
    outputs = _outputs(aws)
    if not existing:
        _set_public_url(aws, _api_url(emulator, outputs))
        outputs = _outputs(aws)
    create_routes(aws, STACK_NAME, outputs)
    return Stack(STACK_NAME, aws, _api_url(emulator, outputs), outputs)


def _api_url(emulator: Emulator, outputs: dict[str, str]) -> str:
    return f"{emulator.endpoint_url}/_aws/execute-api/{outputs['ApiId']}/$default"


def _set_public_url(aws: Aws, url: str) -> None:
    """Set the API's address, which functions write into answers; it is known only after the first deployment."""
    stack = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    names = [parameter["ParameterKey"] for parameter in stack.get("Parameters", [])]
    kept: list[Any] = [{"ParameterKey": name, "UsePreviousValue": True} for name in names if name != "PublicBaseUrl"]
    aws.cloudformation.update_stack(
        StackName=STACK_NAME,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": "PublicBaseUrl", "ParameterValue": url}, *kept],
    )
    aws.cloudformation.get_waiter("stack_update_complete").wait(
        StackName=STACK_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )


def _outputs(aws: Aws) -> dict[str, str]:
    try:
        stacks = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"]
    except aws.cloudformation.exceptions.ClientError:
        return {}
    return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}


def validate(template: Path = ROOT / "template.yaml") -> None:
    """Run `sam validate` with its linter; raise LocalError if it finds anything."""
    _sam("validate", "--template-file", str(template))


def _sam(*arguments: str, endpoint_url: str | None = None) -> None:
    environment = build_environment(SAM_CLI_POLL_DELAY="1", RICOCHET_ARCHITECTURE=architecture())
    if endpoint_url:
        environment["AWS_ENDPOINT_URL"] = endpoint_url
    config = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
    command = [str(LOCAL / "sam/bin/sam"), arguments[0], *config, *arguments[1:]]
    completed = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise LocalError(f"sam {arguments[0]} failed:\n{completed.stdout[-4000:]}{completed.stderr[-4000:]}")


def _fingerprint() -> str:
    """Return a hash of everything that goes into a build."""
    files = sorted(
        path
        for name in _SOURCES
        for path in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )
    digest = hashlib.sha256(architecture().encode())
    for path in files:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
