"""The commands of docs/deploy.md and docs/scaling.md against template, samconfig.toml and AWS's own models."""

import re
import subprocess
import tomllib

import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from local.deployment import parse_parameters, template_parameters
from ricochet.clicks.manage_products import ProductInput
from ricochet.delivery.partners.manage_partners import PartnerInput
from ricochet.intake.manage_networks import NetworkInput
from tests.guides import ROOT, blocks, text
from tests.template.cloudformation import load

SHELL = "\n".join(blocks("deploy.md", "sh") + blocks("scaling.md", "sh"))
AWS = botocore.session.get_session()
COMMANDS = re.findall(r"\baws ([a-z0-9-]+) ([a-z0-9-]+)((?:\\\n|[^\n])*)", SHELL)
GLOBAL_OPTIONS = {"--output", "--query", "--region"}


def options_of(service, operation):
    """Return the options of a command of the AWS CLI. Raise KeyError if there is no such command."""
    if (service, operation) == ("cloudformation", "deploy"):  # the CLI's own
        return {"--stack-name", "--template-file", "--parameter-overrides"}
    model = AWS.get_service_model(service)
    names = {botocore.xform_name(name, "-"): name for name in model.operation_names}
    return {
        f"--{botocore.xform_name(name, '-')}" for name in model.operation_model(names[operation]).input_shape.members
    }


@pytest.mark.parametrize(
    ("service", "operation", "rest"), COMMANDS, ids=[f"{service} {operation}" for service, operation, _ in COMMANDS]
)
def test_every_aws_command_of_the_guide_exists(service, operation, rest):
    if operation == "wait":
        waiter = "".join(map(str.capitalize, rest.split()[0].split("-")))
        operation = botocore.xform_name(AWS.get_waiter_model(service).get_waiter(waiter).operation, "-")
    options = re.findall(r"(?<![\w-])--[a-z-]+", rest)
    known = options_of(service, operation) | GLOBAL_OPTIONS
    assert options
    assert set(options) <= known


@pytest.mark.parametrize(
    ("service", "operation", "error"),
    [("cognito", "admin-create-user", UnknownServiceError), ("cognito-idp", "make-user", KeyError)],
)
def test_an_unknown_aws_command_is_found(service, operation, error):
    with pytest.raises(error):
        options_of(service, operation)


def test_the_guide_sets_existing_parameters():
    known = template_parameters()
    given = [parse_parameters(text) for text in re.findall(r'PARAMETERS="([^"]*)"', SHELL)]
    assert len(given) >= 4
    for name, value in (pair for parameters in given for pair in parameters.items()):
        assert "$" in value or known[name].refusal(value) is None


def test_the_guide_reads_existing_outputs():
    named = set(re.findall(r"\$\(output (\w+)\)", SHELL))
    assert named >= {"ApiUrl", "UserPoolId", "UserPoolClientId"}
    assert named <= load().document["Outputs"].keys()


def test_the_environment_of_the_guide_is_as_complete_as_prod():
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    (block,) = blocks("deploy.md", "toml")
    (staging,) = tomllib.loads(block).values()
    for command in ("build", "deploy"):
        assert staging[command]["parameters"].keys() == config["prod"][command]["parameters"].keys()
    known = template_parameters()
    for name, value in parse_parameters(staging["deploy"]["parameters"]["parameter_overrides"]).items():
        assert known[name].refusal(value) is None


def test_the_guides_template_with_a_web_acl_is_valid(tmp_path):
    path = tmp_path / "waf.yaml"
    path.write_text(blocks("deploy.md", "yaml")[0], encoding="utf-8")
    lint = ROOT / ".local" / "sam" / "bin" / "cfn-lint"
    done = subprocess.run([lint, "-r", "us-east-1", "-t", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_guide_rotates_secrets_with_the_fields_of_the_api():
    named = set(re.findall(r'\{"(rotate\w+)": true\}', text("deploy.md")))
    models = (ProductInput, NetworkInput, PartnerInput)
    there = {
        field.alias for model in models for name, field in model.model_fields.items() if name.startswith("rotate_")
    }
    assert named == there
