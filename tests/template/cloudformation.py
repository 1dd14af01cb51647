"""Load template.yaml with short tags in their long form, and resolve its intrinsic functions."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


class _Loader(yaml.SafeLoader):
    pass


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)


class Template:
    """The template, and its resources by type and logical id."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.resources: dict[str, Any] = document["Resources"]
        self.parameters: dict[str, Any] = document["Parameters"]
        self.globals: dict[str, Any] = document["Globals"]["Function"]

    def of_type(self, kind: str) -> dict[str, Any]:
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] == f"AWS::{kind}"
        }

    def functions(self) -> dict[str, Any]:
        return self.of_type("Serverless::Function")

    def events(self, kind: str) -> dict[str, tuple[str, dict[str, Any]]]:
        """`Function.Event` -> the function's logical id and the event's properties."""
        return {
            f"{name}.{event}": (name, source["Properties"])
            for name, function in self.functions().items()
            for event, source in function.get("Events", {}).items()
            if source["Type"] == kind
        }

    def resolve(self, value: Any, **parameters: str) -> Any:
        """Return `value` with `Ref`s to parameters, `If`, `Equals`, `Not` and conditions replaced by their results."""
        known = {name: spec.get("Default") for name, spec in self.parameters.items()} | parameters
        return _resolve(value, known, self.document["Conditions"])

    def has(self, resource: str, **parameters: str) -> bool:
        """Return whether a stack with these parameters has the resource."""
        condition = self.resources[resource].get("Condition")
        return condition is None or self.resolve(self.document["Conditions"][condition], **parameters)

    def refused_by_rules(self, **parameters: str) -> bool:
        """Return whether one of the template's rules refuses these parameters."""
        return any(
            self.resolve(rule.get("RuleCondition", True), **parameters)
            and not all(self.resolve(one["Assert"], **parameters) for one in rule["Assertions"])
            for rule in self.document["Rules"].values()
        )


def _resolve(value: Any, parameters: dict[str, Any], conditions: dict[str, Any]) -> Any:
    def resolve(inner: Any) -> Any:
        return _resolve(inner, parameters, conditions)

    if isinstance(value, list):
        return [resolve(inner) for inner in value]
    match value:
        case {"Ref": name} if name in parameters:
            outcome = parameters[name]
        case {"Fn::Equals": [left, right]}:
            outcome = resolve(left) == resolve(right)
        case {"Fn::Not": [inner]}:
            outcome = not resolve(inner)
        case {"Fn::If": [condition, yes, no]}:
            outcome = resolve(yes if resolve(conditions[condition]) else no)
        case dict():
            outcome = {name: resolve(inner) for name, inner in value.items()}
        case _:
            outcome = value
    return outcome


def substitute(text: str, value_of: Callable[[str], str]) -> str:
    """Return the text as `Fn::Sub` does, with each `${name}` replaced by `value_of(name)`."""
    return re.sub(r"\$\{(!?)([^}]+)\}", lambda found: f"${{{found[2]}}}" if found[1] else value_of(found[2]), text)


def get_att(resource: str, attribute: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [resource, attribute]}


@cache
def load() -> Template:
    return Template(yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Loader))
