"""In prod new code gets a tenth of the traffic first and can be rolled back; template.yaml is extended for that."""

import json

import pytest

from local import stack
from local.gradual import ALARMS, AT_ONCE, GRADUALLY, publish, published
from tests.template.cloudformation import load

TEMPLATE = load()
RELEASE = "0123456789abcdef0123456789abcdef01234567"
GRADUAL = published(TEMPLATE.document, RELEASE, GRADUALLY)


@pytest.mark.parametrize("name", sorted(TEMPLATE.functions()))
def test_every_function_is_published_as_a_new_version_and_shifted_gradually(name):
    properties = GRADUAL["Resources"][name]["Properties"]
    assert properties["AutoPublishAlias"] == "live"
    assert properties["AutoPublishCodeSha256"] == RELEASE
    assert properties["DeploymentPreference"] == {"Type": "Canary10Percent5Minutes", "Alarms": ALARMS}
    assert properties.items() >= TEMPLATE.functions()[name].items()


def test_nothing_else_changes():
    others = {name for name in TEMPLATE.resources if name not in TEMPLATE.functions()}
    assert {name: GRADUAL["Resources"][name] for name in others} == {name: TEMPLATE.resources[name] for name in others}
    assert {name: part for name, part in GRADUAL.items() if name != "Resources"} == {
        name: part for name, part in TEMPLATE.document.items() if name != "Resources"
    }


def test_at_once_every_function_keeps_its_alias_and_alarms_are_ignored():
    at_once = published(TEMPLATE.document, RELEASE, AT_ONCE)
    for name in TEMPLATE.functions():
        properties = at_once["Resources"][name]["Properties"]
        assert properties == GRADUAL["Resources"][name]["Properties"] | {"DeploymentPreference": {"Enabled": False}}


def test_the_template_itself_publishes_no_versions():
    assert not [name for name, function in TEMPLATE.functions().items() if "AutoPublishAlias" in function]
    assert "AutoPublishAlias" not in TEMPLATE.globals


def test_the_alarms_that_roll_back_exist():
    names = [alarm.get("AlarmName") for alarm in TEMPLATE.of_type("CloudWatch::Alarm").values()]
    assert all(name in names for name in ALARMS)
    assert len(ALARMS) == 3


@pytest.mark.parametrize("preference", [GRADUALLY, AT_ONCE], ids=["gradually", "at once"])
def test_each_deployment_is_a_new_release_and_valid_for_sam(tmp_path, preference):
    built, releases = tmp_path / "template.yaml", set()
    for _ in range(2):
        built.write_text(json.dumps(TEMPLATE.document))
        publish(built, preference)
        functions = json.loads(built.read_text())["Resources"]
        releases.add(functions["CreateClick"]["Properties"]["AutoPublishCodeSha256"])
    assert len(releases) == 2
    stack.validate(built)
