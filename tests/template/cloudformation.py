"""Reads template.yaml: short tags become their long forms, and intrinsic functions can be worked out."""

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

    def work_out(self, value: Any, **parameters: str) -> Any:
        """`value` with `Ref`s to parameters, `If`, `Equals`, `Not` and conditions replaced by what they come to."""
        known = {name: spec.get("Default") for name, spec in self.parameters.items()} | parameters
        return _work_out(value, known, self.document["Conditions"])

    def has(self, resource: str, **parameters: str) -> bool:
        """Whether a stack with these parameters has the resource."""
        condition = self.resources[resource].get("Condition")
        return condition is None or self.work_out(self.document["Conditions"][condition], **parameters)

    def refused_by_rules(self, **parameters: str) -> bool:
        """Whether CloudFormation would refuse these parameters because of one of the template's rules."""
        return any(
            self.work_out(rule.get("RuleCondition", True), **parameters)
            and not all(self.work_out(one["Assert"], **parameters) for one in rule["Assertions"])
            for rule in self.document["Rules"].values()
        )


def _work_out(value: Any, parameters: dict[str, Any], conditions: dict[str, Any]) -> Any:
    def again(inner: Any) -> Any:
        return _work_out(inner, parameters, conditions)

    if isinstance(value, list):
        return [again(inner) for inner in value]
    match value:
        case {"Ref": name} if name in parameters:
            outcome = parameters[name]
        case {"Fn::Equals": [left, right]}:
            outcome = again(left) == again(right)
        case {"Fn::Not": [inner]}:
            outcome = not again(inner)
        case {"Fn::If": [condition, yes, no]}:
            outcome = again(yes if again(conditions[condition]) else no)
        case dict():
            outcome = {name: again(inner) for name, inner in value.items()}
        case _:
            outcome = value
    return outcome


def filled_in(text: str, value_of: Callable[[str], str]) -> str:
    """What `Fn::Sub` makes of a text, with what stands in `${…}` worked out by `value_of`."""
    return re.sub(r"\$\{(!?)([^}]+)\}", lambda found: f"${{{found[2]}}}" if found[1] else value_of(found[2]), text)


def get_att(resource: str, attribute: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [resource, attribute]}


@cache
def load() -> Template:
    return Template(yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Loader))
