"""`make deploy`: asks what a deployment to AWS has to know, shows what it will run, and runs it."""

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
"""(region, stack name) -> who deploys, and the parameters of the stack as it is there; none if there is no stack."""

CLEARED = "-"
_SELDOM = {"AccessTokenHours", "AllowedTargets", "Architecture", "Environment", "LogLevel", "RetrySchedule"}
"""Parameters that nobody is asked for; they can be given all the same."""

_ONLY_WITH_ISSUER = {"GroupsClaim", "JwtAudience"}
_BUILT_FOR = "RICOCHET_ARCHITECTURE"


@dataclass(frozen=True)
class Parameter:
    """A parameter of the template."""

    name: str
    default: str
    description: str
    allowed: tuple[str, ...]
    pattern: str

    def refusal(self, value: str) -> str | None:
        """Why CloudFormation would refuse `value`, if it would."""
        if self.allowed and value not in self.allowed:
            return f"{self.name} must be one of {', '.join(self.allowed)}"
        if not re.fullmatch(self.pattern, value):
            return f"{self.name} must look like {self.pattern}"
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
        """As one would type them in the project's folder."""
        sam, config = str((LOCAL / "sam/bin/sam").relative_to(ROOT)), ["--config-env", self.section]
        where = ["--stack-name", self.stack_name, "--region", self.region]
        unasked = [] if self.confirms else ["--no-confirm-changeset"]
        overrides = [f"{name}={shlex.quote(value)}" for name, value in self.parameters.items()]
        return [
            [sam, "build", *config],
            [sam, "deploy", *config, *where, *unasked, "--parameter-overrides", *overrides],
        ]

    def __str__(self) -> str:
        build, deploy = map(shlex.join, self.commands())
        return f"  {_BUILT_FOR}={self.architecture} {build}\n  {deploy}\n{self._pace}"

    def run(self) -> int:
        """The exit code of the first command that fails, or 0."""
        environment = os.environ | {"PATH": tools_path(), _BUILT_FOR: self.architecture}
        for command in self.commands():
            done = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603
            if done.returncode:
                return done.returncode
            if command[1] == "build" and self._is_prod:
                publish(ROOT / ".aws-sam/build/template.yaml", AT_ONCE if self.at_once else GRADUALLY)
        return 0

    @property
    def _is_prod(self) -> bool:
        return self.parameters.get("Environment") == "prod"

    @property
    def _pace(self) -> str:
        """How new code comes to its traffic."""
        if self._is_prod and not self.at_once:
            return "New code gets a tenth of the traffic for five minutes, and alarms take it back (AT_ONCE=1: all)."
        return "New code gets all traffic at once, and no alarm takes it back."


class Terminal:
    """Whoever is at the keyboard; without `ask` nobody is, and everything stays as it was given."""

    def __init__(self, ask: Ask | None, say: Callable[[str], None]) -> None:
        self._ask = ask
        self.say = say
        self.is_manned = ask is not None

    def answer(self, question: str, otherwise: str, refusal: Callable[[str], str | None]) -> str:
        """What was answered, asked again until it is not refused; `otherwise` if that was nothing."""
        while self._ask is not None:
            try:
                given = self._ask(f"{question} [{otherwise}]: ").strip()
            except EOFError as error:
                raise LocalError("nobody answers: nothing was deployed") from error
            answer = "" if given == CLEARED else given or otherwise
            reason = refusal(answer)
            if reason is None:
                return answer
            self.say(reason)
        return otherwise


def plan(
    given: Mapping[str, str],
    parameters: Mapping[str, str],
    terminal: Terminal,
    account: Account,
    *,
    at_once: bool = False,
) -> Deployment:
    """What to deploy. `given`: `environment`, `region`, `stack_name`, as far as they are known; the rest is asked for.

    LocalError for what the template or samconfig.toml does not know, and where AWS does not know the caller.
    """
    known = environments()
    name = given.get("environment") or terminal.answer(f"Environment ({', '.join(known)})", "dev", _one_of(known))
    if reason := _one_of(known)(name):
        raise LocalError(reason)
    here = boto3.Session().region_name or "us-east-1"
    region = given.get("region") or terminal.answer("Region", here, _one_of_regions)
    stack_name = given.get("stack_name") or known[name].stack_name
    who, current = account(region, stack_name)
    terminal.say(f"{'Changes' if current else 'Creates'} the stack {stack_name} in {region}, as {who}.")
    chosen = _chosen(known[name].parameters | dict(parameters), current, terminal)
    architecture = chosen.get("Architecture") or current.get("Architecture") or "arm64"
    return Deployment(
        known[name].section, stack_name, region, architecture, chosen, confirms=terminal.is_manned, at_once=at_once
    )


def _chosen(given: dict[str, str], current: Mapping[str, str], terminal: Terminal) -> dict[str, str]:
    """The given parameters, and those that were answered differently from how they are."""
    chosen, all_of_them = dict(given), template_parameters()
    for name, value in given.items():
        reason = all_of_them[name].refusal(value) if name in all_of_them else f"the template has no parameter {name}"
        if reason:
            raise LocalError(reason)
    if terminal.is_manned:
        terminal.say(f"Enter keeps what is in brackets; {CLEARED} leaves it empty.")
    for name, parameter in all_of_them.items():
        issuer = chosen.get("JwtIssuer", current.get("JwtIssuer"))
        if name in given or name in _SELDOM or (name in _ONLY_WITH_ISSUER and not issuer):
            continue
        value = current.get(name, parameter.default)
        answer = terminal.answer(f"{name}: {parameter.description}\n ", value, parameter.refusal)
        if answer != value:
            chosen[name] = answer
    return chosen


def environments() -> dict[str, Environment]:
    """By the name that people use: what SAM calls `default` is `dev`."""
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
    """By name, in the order of the template."""
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
    """Safe, and blind to the short forms of CloudFormation's functions."""


_Loader.add_multi_constructor("!", lambda *_: None)


def parse_parameters(text: str) -> dict[str, str]:
    """`A=1 B="two words"` as a mapping."""
    pairs = [word.partition("=") for word in shlex.split(text)]
    if not all(name and equals for name, equals, _ in pairs):
        raise LocalError(f"parameters are given as NAME=value, with a blank between them, not as {text}")
    return {name: value for name, _, value in pairs}


def aws_account(region: str, stack_name: str) -> tuple[str, dict[str, str]]:
    """See `Account`; by the caller's own credentials."""
    session = boto3.Session(region_name=region)
    try:
        who = session.client("sts").get_caller_identity()["Arn"]
        stack = session.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    except (BotoCoreError, ClientError) as error:
        if "does not exist" in str(error):
            return who, {}
        raise LocalError(f"AWS does not let us look at the account: {error}\nSet AWS_PROFILE, or sign in.") from error
    return who, {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def _one_of(known: Mapping[str, object]) -> Callable[[str], str | None]:
    return lambda name: None if name in known else f"there is no {name}; there are {', '.join(known)}"


def _one_of_regions(name: str) -> str | None:
    return None if re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", name) else f"{name} is no region such as us-east-1"
