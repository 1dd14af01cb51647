"""The files beside the template: samconfig.toml, lock files, and what of the template they rely on."""

import re
import subprocess
import tomllib

import pytest

from tests.template.cloudformation import ROOT, load

LOCKS = sorted([*(ROOT / "requirements").glob("*.txt"), *(ROOT / "layers").glob("*/requirements.txt")])
CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
ENVIRONMENTS = ("default", "local", "prod")
TEMPLATE = load()


def test_there_are_three_environments_with_a_stack_each():
    assert set(ENVIRONMENTS) <= set(CONFIG)
    stacks = {name: CONFIG[name]["global"]["parameters"]["stack_name"] for name in ENVIRONMENTS}
    assert stacks == {"default": "ricochet-dev", "local": "ricochet-local", "prod": "ricochet"}


@pytest.mark.parametrize(("environment", "parameter"), [("default", "dev"), ("prod", "prod")])
def test_a_deployment_to_aws_sets_its_environment_and_asks_first(environment, parameter):
    deploy = CONFIG[environment]["deploy"]["parameters"]
    assert deploy["parameter_overrides"] == f"Environment={parameter}"
    assert deploy["confirm_changeset"] is True
    assert parameter in TEMPLATE.parameters["Environment"]["AllowedValues"]


@pytest.mark.parametrize("command", ["validate", "build", "deploy"])
def test_environments_set_only_options_that_sam_has(command):
    sam = ROOT / ".local" / "sam" / "bin" / "sam"
    known = subprocess.run([sam, command, "--help"], capture_output=True, text=True, check=True).stdout
    options = {name for environment in ENVIRONMENTS for name in CONFIG[environment][command]["parameters"]}
    assert options
    assert {name for name in options if f"--{name.replace('_', '-')}" not in known} == set()


@pytest.mark.parametrize("environment", ["default", "prod"])
def test_costs_can_be_allocated_by_environment_tags(environment):
    name = "dev" if environment == "default" else environment
    assert CONFIG[environment]["deploy"]["parameters"]["tags"] == f"project=ricochet environment={name}"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_deployment_may_only_create_roles_and_policies_without_names(environment):
    assert CONFIG[environment]["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"
    assert not any("RoleName" in role for role in TEMPLATE.of_type("IAM::Role").values())
    assert not any("ManagedPolicyName" in policy for policy in TEMPLATE.of_type("IAM::ManagedPolicy").values())


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_file_pins_and_hashes_everything_and_names_no_address(path):
    text = path.read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--(extra-)?index|--find-links|--trusted)", text, re.MULTILINE)
    assert pins
    assert all(re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", pin) for pin in pins)
    assert text.count("--hash=sha256:") >= len(pins)


def test_every_list_of_requirements_has_its_lock_file():
    lists = [*(ROOT / "requirements").glob("*.in"), *(ROOT / "layers").glob("*/requirements.in")]
    assert sorted(path.with_suffix(".txt") for path in lists) == LOCKS


def test_the_layer_does_not_include_what_the_runtime_has():
    layer = (ROOT / "layers" / "dependencies" / "requirements.txt").read_text(encoding="utf-8")
    assert not re.search(r"^(boto3|botocore|s3transfer)==", layer, re.MULTILINE)


@pytest.mark.parametrize("kind", ["DynamoDB::Table", "SQS::Queue"])
def test_every_table_and_queue_is_in_the_outputs(kind):
    values = [output["Value"] for output in TEMPLATE.document["Outputs"].values()]
    assert all({"Ref": name} in values for name in TEMPLATE.of_type(kind))


def test_every_parameter_is_used():
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    for name in TEMPLATE.parameters:
        assert re.search(rf"!Ref {name}\b", text), f"the parameter {name} is not used"
