"""`make deploy`: its questions, the answers, and the commands that it runs."""

import json

import pytest

from local import gradual
from local.deployment import Terminal, environments, parse_parameters, plan, template_parameters
from local.workspace import LocalError

NEW = {}
BUILT = {"Resources": {"CreateClick": {"Type": "AWS::Serverless::Function", "Properties": {}}}}


class Person:
    """A user who gives the answers in order, then only presses Enter; records questions and texts."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []
        self.shown: list[str] = []

    def ask(self, question: str) -> str:
        self.questions.append(question)
        return self.answers.pop(0) if self.answers else ""

    def terminal(self) -> Terminal:
        return Terminal(self.ask, self.shown.append)

    def was_asked_for(self, name: str) -> bool:
        return any(question.startswith(f"{name}:") for question in self.questions)


class Answers(Person):
    """A user with an answer for each question."""

    def __init__(self, **answers: str) -> None:
        super().__init__()
        self.by_name = answers

    def ask(self, question: str) -> str:
        super().ask(question)
        return self.by_name.get(question.partition(":")[0].partition(" ")[0], "")


def account(current):
    return lambda region, stack_name: ("arn:aws:iam::123456789012:user/me", current)


@pytest.fixture(autouse=True)
def _no_region_of_the_caller(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")


def planned(person=None, current=NEW, parameters=NEW, **given):
    terminal = person.terminal() if person else Terminal(None, lambda _: None)
    return plan(given, parameters, terminal, account(current))


def test_pressing_enter_deploys_a_development_stack():
    person = Person()
    deployment = planned(person)
    assert (deployment.section, deployment.stack_name, deployment.region) == ("default", "ricochet-dev", "us-east-1")
    assert deployment.parameters == {"Environment": "dev"}
    assert deployment.architecture == "arm64"
    assert person.shown[0] == "Creates the stack ricochet-dev in us-east-1, as arn:aws:iam::123456789012:user/me."


def test_given_values_are_not_asked_for():
    person = Person()
    deployment = planned(
        person, environment="prod", region="eu-west-1", stack_name="mine", parameters={"DefaultCurrency": "EUR"}
    )
    assert (deployment.section, deployment.stack_name, deployment.region) == ("prod", "mine", "eu-west-1")
    assert deployment.parameters == {"Environment": "prod", "DefaultCurrency": "EUR"}
    assert not person.was_asked_for("DefaultCurrency")
    assert person.was_asked_for("PublicBaseUrl")
    assert not any(question.startswith(("Environment", "Region")) for question in person.questions)


def test_every_parameter_is_asked_for_except_the_rare_ones():
    person = Answers(JwtIssuer="https://idp.example.com", JwtAudience="app")
    planned(person)
    rare = {"AccessTokenHours", "AllowedTargets", "Architecture", "Environment", "LogLevel", "RetrySchedule"}
    assert {name for name in template_parameters() if person.was_asked_for(name)} == set(template_parameters()) - rare


def test_audience_and_groups_are_asked_for_only_with_an_issuer():
    person = Person()
    planned(person)
    assert not person.was_asked_for("JwtAudience")
    again = Person()
    planned(again, current={"JwtIssuer": "https://idp.example.com"})
    assert again.was_asked_for("GroupsClaim")


def test_existing_stack_keeps_values_that_are_not_changed():
    person = Answers(PublicBaseUrl="-", DefaultCurrency="EUR")
    current = {"PublicBaseUrl": "https://go.example.com", "DefaultReferralRate": "0.2", "Architecture": "x86_64"}
    deployment = planned(person, current=current)
    assert deployment.parameters == {"Environment": "dev", "PublicBaseUrl": "", "DefaultCurrency": "EUR"}
    assert deployment.architecture == "x86_64"
    assert any(question.endswith("[https://go.example.com]: ") for question in person.questions)
    assert person.shown[0].startswith("Changes the stack")


def test_invalid_answer_is_asked_for_again():
    person = Person("prood", "prod", "mars", "eu-west-1", "go.example.com/", "https://go.example.com")
    deployment = planned(person)
    assert deployment.parameters == {"Environment": "prod", "PublicBaseUrl": "https://go.example.com"}
    assert deployment.region == "eu-west-1"
    assert [line for line in person.shown if line.startswith(("prood", "mars", "PublicBaseUrl must"))] == [
        f"prood is unknown; choose one of {', '.join(environments())}",
        "mars is not a region, such as us-east-1",
        f"PublicBaseUrl must match {template_parameters()['PublicBaseUrl'].pattern}",
    ]


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        ({"environment": "local"}, {}),
        ({"environment": "nowhere"}, {}),
        ({}, {"Nonsense": "1"}),
        ({}, {"LogLevel": "LOUD"}),
        ({}, {"AccessTokenHours": "two"}),
        ({}, {"DefaultReferralRate": "2"}),
    ],
)
def test_invalid_value_is_refused_without_a_terminal(given, parameters):
    with pytest.raises(LocalError):
        planned(parameters=parameters, **given)


def test_nothing_is_asked_without_a_terminal():
    deployment = planned(environment="prod", parameters={"Architecture": "x86_64"})
    assert deployment.parameters == {"Environment": "prod", "Architecture": "x86_64"}
    build, deploy = deployment.commands()
    assert build == [".local/sam/bin/sam", "build", "--config-env", "prod"]
    assert "--no-confirm-changeset" in deploy
    assert str(deployment).startswith("  RICOCHET_ARCHITECTURE=x86_64 .local/sam/bin/sam build")


def test_sam_asks_for_confirmation_on_a_terminal():
    deployment = planned(Answers(PublicBaseUrl="-"), current={"PublicBaseUrl": "https://go.example.com"})
    assert deployment.commands()[1] == [
        *(".local/sam/bin/sam", "deploy", "--config-env", "default", "--stack-name", "ricochet-dev"),
        *("--region", "us-east-1", "--parameter-overrides", "Environment=dev", "PublicBaseUrl=''"),
    ]


@pytest.mark.parametrize(
    ("environment", "at_once", "note"),
    [
        ("prod", False, "New code gets 10 % of the traffic for five minutes"),
        ("prod", True, "New code gets all traffic at once"),
        ("dev", False, "New code gets all traffic at once"),
    ],
)
def test_how_fast_new_code_gets_traffic_is_shown(environment, at_once, note):
    terminal = Terminal(None, lambda _: None)
    deployment = plan({"environment": environment}, {}, terminal, account(NEW), at_once=at_once)
    assert str(deployment).splitlines()[-1].startswith(note)


@pytest.mark.parametrize(
    ("environment", "at_once", "preference"),
    [("prod", False, gradual.GRADUALLY), ("prod", True, gradual.AT_ONCE), ("dev", True, None)],
)
def test_prod_build_becomes_a_release(tmp_path, monkeypatch, environment, at_once, preference):
    """With a `sam` that does nothing, in a folder with a finished build."""
    sam, built = tmp_path / ".local/sam/bin/sam", tmp_path / ".aws-sam/build/template.yaml"
    for path, text in ((sam, "#!/bin/sh\n"), (built, json.dumps(BUILT))):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    sam.chmod(0o755)
    terminal = Terminal(None, lambda _: None)
    deployment = plan({"environment": environment}, {}, terminal, account(NEW), at_once=at_once)
    monkeypatch.setattr("local.deployment.ROOT", tmp_path)
    monkeypatch.setattr("local.deployment.LOCAL", tmp_path / ".local")
    assert deployment.run() == 0
    properties = json.loads(built.read_text())["Resources"]["CreateClick"]["Properties"]
    assert properties.get("DeploymentPreference") == preference


def test_end_of_input_deploys_nothing():
    def end_input(question):
        raise EOFError

    with pytest.raises(LocalError, match="nothing was deployed"):
        plan({}, {}, Terminal(end_input, lambda _: None), account(NEW))


def test_embedded_aws_is_not_an_environment_to_deploy_to():
    assert {"dev", "prod"} <= set(environments())
    assert "local" not in environments()


def test_parameters_are_parsed_as_pairs():
    assert parse_parameters('A=1 B="two words" C=') == {"A": "1", "B": "two words", "C": ""}
    for wrong in ("A", "=1", "A=1 B"):
        with pytest.raises(LocalError):
            parse_parameters(wrong)
