"""`make deploy`: ask for the settings of a deployment to AWS, show the commands, and run them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError

from local.gradual import AT_ONCE, GRADUALLY, publish
from local.workspace import LOCAL, ROOT, LocalError, tools_path

Ask = Callable[[str], str]
Account = Callable[[str, str], tuple[str, Mapping[str, str]]]
"""(region, stack name) -> (the caller's identity, the stack's parameters); no parameters if there is no stack."""

EMPTY = "-"
_NOT_ASKED = {"AccessTokenHours", "AllowedTargets", "Architecture", "Environment", "LogLevel", "RetrySchedule"}
"""Parameters that are seldom changed: `make deploy` does not ask for them, but accepts them."""

_ONLY_WITH_ISSUER = {"GroupsClaim", "JwtAudience"}
_BUILT_FOR = "RICOCHET_ARCHITECTURE"


@dataclass(frozen=True)
class Parameter:
    """A template parameter."""

    name: str
    default: str
    description: str
    allowed: tuple[str, ...]
    pattern: str

    def refusal(self, value: str) -> str | None:
        """Return why CloudFormation would refuse `value`, or None."""
        if self.allowed and value not in self.allowed:
            return f"{self.name} must be one of {', '.join(self.allowed)}"
        if not re.fullmatch(self.pattern, value):
            return f"{self.name} must match {self.pattern}"
        return None


@dataclass(frozen=True)
class Environment:
    """A section of samconfig.toml."""

    section: str
    stack_name: str
    parameters: dict[str, str]


@dataclass(frozen=True)
class Deployment:
    section: str
    stack_name: str
    region: str
    architecture: str
    parameters: dict[str, str]
    confirms: bool
    at_once: bool = False

    def commands(self) -> list[list[str]]:
        """Return the commands as they would be typed in the project's folder."""
        sam, config = str((LOCAL / "sam/bin/sam").relative_to(ROOT)), ["--config-env", self.section]
        where = ["--stack-name", self.stack_name, "--region", self.region]
        no_question = [] if self.confirms else ["--no-confirm-changeset"]
        overrides = [f"{name}={shlex.quote(value)}" for name, value in self.parameters.items()]
        return [
            [sam, "build", *config],
            [sam, "deploy", *config, *where, *no_question, "--parameter-overrides", *overrides],
        ]

    def __str__(self) -> str:
        build, deploy = map(shlex.join, self.commands())
        return f"  {_BUILT_FOR}={self.architecture} {build}\n  {deploy}\n{self._traffic_note}"

    def run(self) -> int:
        """Run the commands; return the exit code of the first one that fails, or 0."""
        environment = os.environ | {"PATH": tools_path(), _BUILT_FOR: self.architecture}
        for command in self.commands():
            completed = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603
            if completed.returncode:
                return completed.returncode
            if command[1] == "build" and self._is_prod:
                publish(ROOT / ".aws-sam/build/template.yaml", AT_ONCE if self.at_once else GRADUALLY)
        return 0

    @property
    def _is_prod(self) -> bool:
        return self.parameters.get("Environment") == "prod"

    @property
    def _traffic_note(self) -> str:
        """How fast new code gets traffic."""
        if self._is_prod and not self.at_once:
            return "New code gets 10 % of the traffic for five minutes; alarms roll it back (AT_ONCE=1: 100 % at once)."
        return "New code gets all traffic at once; no alarm rolls it back."


class Terminal:
    """Asks questions and shows texts. Without `ask` nothing is asked, and the given values are used."""

    def __init__(self, ask: Ask | None, show: Callable[[str], None]) -> None:
        self._ask = ask
        self.show = show
        self.is_interactive = ask is not None

    def answer(self, question: str, default: str, refusal: Callable[[str], str | None]) -> str:
        """Return the answer, asking until it is not refused; `default` if it is empty."""
        while self._ask is not None:
            try:
                given = self._ask(f"{question} [{default}]: ").strip()
            except EOFError as error:
                raise LocalError("the input ended: nothing was deployed") from error
            answer = "" if given == EMPTY else given or default
            reason = refusal(answer)
            if reason is None:
                return answer
            self.show(reason)
        return default


def plan(
    given: Mapping[str, str],
    parameters: Mapping[str, str],
    terminal: Terminal,
    account: Account,
    *,
    at_once: bool = False,
) -> Deployment:
    """Return what to deploy. `given` may have `environment`, `region` and `stack_name`; ask for the rest.

    Raise LocalError for anything that the template or samconfig.toml does not define, and if AWS refuses the caller.
    """
    known = environments()
    name = given.get("environment") or terminal.answer(f"Environment ({', '.join(known)})", "dev", _one_of(known))
    if reason := _one_of(known)(name):
        raise LocalError(reason)
    here = boto3.Session().region_name or "us-east-1"
    region = given.get("region") or terminal.answer("Region", here, _one_of_regions)
    stack_name = given.get("stack_name") or known[name].stack_name
    who, current = account(region, stack_name)
    terminal.show(f"{'Changes' if current else 'Creates'} the stack {stack_name} in {region}, as {who}.")
    chosen = _chosen(known[name].parameters | dict(parameters), current, terminal)
    architecture = chosen.get("Architecture") or current.get("Architecture") or "arm64"
    return Deployment(
        known[name].section, stack_name, region, architecture, chosen, confirms=terminal.is_interactive, at_once=at_once
    )


def _chosen(given: dict[str, str], current: Mapping[str, str], terminal: Terminal) -> dict[str, str]:
    """Return the given parameters, and those whose answer differs from the current value."""
    chosen, all_of_them = dict(given), template_parameters()
    for name, value in given.items():
        reason = all_of_them[name].refusal(value) if name in all_of_them else f"the template has no parameter {name}"
        if reason:
            raise LocalError(reason)
    if terminal.is_interactive:
        terminal.show(f"Enter keeps the value in brackets; {EMPTY} makes it empty.")
    for name, parameter in all_of_them.items():
        issuer = chosen.get("JwtIssuer", current.get("JwtIssuer"))
        if name in given or name in _NOT_ASKED or (name in _ONLY_WITH_ISSUER and not issuer):
            continue
        value = current.get(name, parameter.default)
        answer = terminal.answer(f"{name}: {parameter.description}\n ", value, parameter.refusal)
        if answer != value:
            chosen[name] = answer
    return chosen


def environments() -> dict[str, Environment]:
    """Return the environments by name; SAM's section `default` is `dev`."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    return {
        "dev" if name == "default" else name: Environment(
            section=name,
            stack_name=section["global"]["parameters"]["stack_name"],
            parameters=parse_parameters(section["deploy"]["parameters"]["parameter_overrides"]),
        )
        for name, section in config.items()
        if name not in ("version", "local")
    }


def template_parameters() -> dict[str, Parameter]:
    """Return the template's parameters by name, in their order."""
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    return {
        name: Parameter(
            name=name,
            default=str(spec["Default"]),
            description=spec.get("Description", ""),
            allowed=tuple(spec.get("AllowedValues", ())),
            pattern=spec.get("AllowedPattern", r"\d+" if spec["Type"] == "Number" else ".*"),
        )
        for name, spec in template["Parameters"].items()
    }


class _Loader(yaml.SafeLoader):
    """A safe loader that ignores the short forms of CloudFormation's functions."""


_Loader.add_multi_constructor("!", lambda *_: None)


def parse_parameters(text: str) -> dict[str, str]:
    """Parse pairs such as `A=1 B="two words"`; raise LocalError."""
    pairs = [pair.partition("=") for pair in shlex.split(text)]
    if not all(name and equals for name, equals, _ in pairs):
        raise LocalError(f"write parameters as NAME=value pairs with blanks between them, not as {text}")
    return {name: value for name, _, value in pairs}


def aws_account(region: str, stack_name: str) -> tuple[str, dict[str, str]]:
    """Implement `Account` with the caller's own credentials."""
    session = boto3.Session(region_name=region)
    try:
        who = session.client("sts").get_caller_identity()["Arn"]
        stack = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        if "does not exist" in str(error):
            return who, {}
        raise LocalError(f"AWS refused to show the account: {error}\nSet AWS_PROFILE, or sign in.") from error
    return who, {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def _one_of(known: Mapping[str, object]) -> Callable[[str], str | None]:
    return lambda name: None if name in known else f"{name} is unknown; choose one of {', '.join(known)}"


def _one_of_regions(name: str) -> str | None:
    return None if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", name) else f"{name} is not a region, such as us-east-1"
