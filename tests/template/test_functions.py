"""Every folder in functions/ is a function of the template with its own role, log group and environment."""

import re

import pytest

from ricochet.delivery.retry_schedule import RetrySchedule
from tests.function_settings import settings_of
from tests.template.cloudformation import ROOT, get_att, load

TEMPLATE = load()
FUNCTIONS = TEMPLATE.functions()
FOLDERS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
each_function = pytest.mark.parametrize("name", sorted(FUNCTIONS))


def camel_case(folder: str) -> str:
    return "".join(word.capitalize() for word in folder.split("_"))


def folder_of(name: str) -> str:
    return FUNCTIONS[name]["CodeUri"].removeprefix("functions/")


def variables_of(name: str) -> dict:
    own = FUNCTIONS[name].get("Environment", {}).get("Variables", {})
    return TEMPLATE.globals["Environment"]["Variables"] | own


def test_every_folder_is_a_function_and_every_function_a_folder():
    assert {name: function["CodeUri"] for name, function in FUNCTIONS.items()} == {
        camel_case(folder): f"functions/{folder}" for folder in FOLDERS
    }


def test_all_functions_share_the_global_settings(template):
    assert template.globals["Runtime"] == "python3.13"
    assert template.globals["Handler"] == "app.handler"
    assert template.globals["Tracing"] == "Active"
    for function in FUNCTIONS.values():
        assert {"Runtime", "Handler", "Architectures", "Tracing", "Policies"}.isdisjoint(function)


@pytest.mark.parametrize(
    ("parameters", "architecture"), [({}, "arm64"), ({"Architecture": "x86_64"}, "x86_64")], ids=["default", "chosen"]
)
def test_the_architecture_is_a_parameter(template, parameters, architecture):
    assert template.resolve(template.globals["Architectures"], **parameters) == [architecture]
    assert template.parameters["Architecture"]["AllowedValues"] == ["arm64", "x86_64"]


def test_the_python_of_the_functions_is_the_python_of_the_project(template):
    wanted = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    assert wanted == "3.13"
    assert template.globals["Runtime"] == f"python{wanted}"
    for layer in template.of_type("Serverless::LayerVersion").values():
        assert layer["CompatibleRuntimes"] == [f"python{wanted}"]


def test_every_layer_of_the_template_has_a_folder_and_is_used(template):
    layers = template.of_type("Serverless::LayerVersion")
    assert {layer["ContentUri"] for layer in layers.values()} == {
        f"layers/{name}" for name in ("dependencies", "ricochet", "cryptography")
    }
    assert template.globals["Layers"] == [{"Ref": "DependenciesLayer"}, {"Ref": "RicochetLayer"}]
    for name, layer in layers.items():
        makefile = (ROOT / layer["ContentUri"] / "Makefile").read_text(encoding="utf-8")
        assert template.resources[name]["Metadata"] == {"BuildMethod": "makefile"}
        assert f"build-{name}:" in makefile
        assert "compileall -q --invalidation-mode unchecked-hash" in makefile


@each_function
def test_a_function_has_a_role_of_its_own(name):
    roles = [function["Role"] for function in FUNCTIONS.values()]
    assert FUNCTIONS[name]["Role"] == get_att(f"{name}Role")
    assert roles.count(FUNCTIONS[name]["Role"]) == 1
    assert TEMPLATE.resources[f"{name}Role"]["Type"] == "AWS::IAM::Role"


@each_function
@pytest.mark.parametrize(("environment", "days"), [("prod", 90), ("dev", 14), ("local", 14)])
def test_a_function_has_its_own_log_group_with_retention(name, environment, days):
    group = TEMPLATE.resources[f"{name}Logs"]
    assert FUNCTIONS[name]["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert TEMPLATE.resolve(group["Properties"]["RetentionInDays"], Environment=environment) == days
    assert group["Properties"]["LogGroupName"] == {"Fn::Sub": f"/ricochet/${{AWS::StackName}}/{folder_of(name)}"}


def test_the_command_line_has_a_log_group_and_an_output_that_names_it(template):
    group = template.resources["OpsLogs"]["Properties"]
    assert group["LogGroupName"] == {"Fn::Sub": "/ricochet/${AWS::StackName}/ops"}
    assert template.document["Outputs"]["OpsLogGroup"]["Value"] == {"Ref": "OpsLogs"}


def test_every_log_group_has_retention(template):
    groups = template.of_type("Logs::LogGroup")
    assert len(groups) > len(FUNCTIONS)
    assert all(template.resolve(group["RetentionInDays"], Environment="prod") == 90 for group in groups.values())


@each_function
def test_a_function_is_given_what_its_settings_need_and_nothing_else(name):
    fields = {
        field.upper(): info for model in settings_of(folder_of(name)) for field, info in model.model_fields.items()
    }
    given = {variable for variable in variables_of(name) if not variable.startswith(("POWERTOOLS_", "PYDANTIC_"))}
    assert {variable for variable, info in fields.items() if info.is_required()} <= given <= set(fields)


@each_function
def test_a_function_loads_all_settings_that_it_imports(name):
    source = (ROOT / FUNCTIONS[name]["CodeUri"] / "app.py").read_text(encoding="utf-8")
    loaded = re.findall(r"(\w+)\.load\(os\.environ\)", source)
    assert sorted(loaded) == sorted(model.__name__ for model in settings_of(folder_of(name)))
    assert set(re.findall(r"^class (\w+)", source, re.MULTILINE)) <= set(loaded)
    assert bool(loaded) is bool(
        variables_of(name).keys() - {*TEMPLATE.globals["Environment"]["Variables"], "POWERTOOLS_SERVICE_NAME"}
    )


@each_function
def test_a_function_logs_under_its_own_name(name):
    variables = variables_of(name)
    assert variables["POWERTOOLS_SERVICE_NAME"] == folder_of(name)
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == {"Fn::Sub": "Ricochet/${AWS::StackName}"}


@each_function
def test_a_variable_refers_to_the_resource_in_its_name(name):
    for variable, value in variables_of(name).items():
        if variable.endswith("_TABLE"):
            assert value == {"Ref": variable.removesuffix("_TABLE").capitalize()}
    queues = {
        "POSTBACK_QUEUE_URL": "RetryPostbacksQueue",
        "RETRY_QUEUE_URL": "FailedDeliveriesQueue",
        "PARKING_QUEUE_URL": "ParkedDeliveriesQueue",
        "REPLY_QUEUE_URL": "PartnerRepliesQueue",
    }
    for variable, queue in queues.items():
        assert variables_of(name).get(variable, {"Ref": queue}) == {"Ref": queue}


@each_function
def test_a_function_times_out_before_api_gateway_does(name):
    timeout = FUNCTIONS[name].get("Timeout", TEMPLATE.globals["Timeout"])
    behind_the_api = any(owner == name for owner, _ in TEMPLATE.events("HttpApi").values())
    assert 0 < timeout <= (29 if behind_the_api else 900)


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_private_targets_are_refused_on_aws(template, environment):
    assert template.refused_by_rules(Environment=environment, AllowedTargets="127.0.0.1:18080")
    assert not template.refused_by_rules(Environment=environment, AllowedTargets="")


def test_private_targets_are_allowed_in_the_local_stack_only_and_off_by_default(template):
    assert not template.refused_by_rules(Environment="local", AllowedTargets="127.0.0.1:18080")
    assert template.parameters["AllowedTargets"]["Default"] == ""
    assert template.parameters["Environment"]["Default"] != "local"


def test_an_issuer_needs_an_audience(template):
    assert template.refused_by_rules(JwtIssuer="https://idp.example.com")
    assert not template.refused_by_rules(JwtIssuer="https://idp.example.com", JwtAudience="app")
    assert not template.refused_by_rules()


def test_the_default_schedule_is_eleven_attempts_over_seventy_hours(template):
    schedule = RetrySchedule.parse(template.parameters["RetrySchedule"]["Default"])
    assert schedule.delays == (10, 60, 300, 900, 3600, 10800, 21600, 43200, 86400, 86400)
    assert 70 <= sum(schedule.delays) / 3600 < 71


@pytest.mark.parametrize(
    ("parameter", "value", "fits"),
    [
        *(("DefaultReferralRate", value, True) for value in ("0", "1", "0.1", "0.123456")),
        *(("DefaultReferralRate", value, False) for value in ("1.1", "10", "-0.1", "0.1234567", "ten", "")),
        *(("RetrySchedule", value, True) for value in ("10", "10,60")),
        *(("RetrySchedule", value, False) for value in ("", "10,", "10;60", "1.5", "-1")),
        *(
            ("PublicBaseUrl", value, True)
            for value in ("", "https://go.example.com", "http://127.0.0.1:4566/a/$default")
        ),
        *(
            ("PublicBaseUrl", value, False)
            for value in ("go.example.com", "https://go.example.com/", "https://", "ftp://a")
        ),
        *(("JwtIssuer", value, True) for value in ("", "https://idp.example.com/realms/app", "https://t.auth0.com/")),
        *(("JwtIssuer", value, False) for value in ("idp.example.com", "http://idp.example.com")),
        *(("DefaultCurrency", value, True) for value in ("EUR", "COINS", "USDT20")),
        *(("DefaultCurrency", value, False) for value in ("", "eur", "E", "DOLLARSUS")),
    ],
)
def test_a_parameter_that_functions_cannot_parse_is_refused_at_deployment(template, parameter, value, fits):
    assert bool(re.fullmatch(template.parameters[parameter]["AllowedPattern"], value)) is fits


def test_every_default_is_allowed_by_its_parameter(template):
    for spec in template.parameters.values():
        assert spec["Default"] in spec.get("AllowedValues", [spec["Default"]])
        assert re.fullmatch(spec.get("AllowedPattern", ".*"), str(spec["Default"]))


def test_only_functions_that_handle_clickbank_have_the_cryptography_layer():
    carrying = {
        name for name, function in FUNCTIONS.items() if function.get("Layers") == [{"Ref": "CryptographyLayer"}]
    }
    assert carrying == {"ReceiveNetworkPostback", "RetryPostbacks", "ManageNetworks", "ManageReceipts"}
    assert all("Layers" not in function for name, function in FUNCTIONS.items() if name not in carrying)
