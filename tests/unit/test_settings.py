"""Functions fail at start if a variable is missing, and name it."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.delivery.settings import DeliverySettings, TargetSettings
from ricochet.http.addresses import AllowedTargets
from ricochet.intake.settings import NetworkPostbackSettings, PostbackSettings
from ricochet.settings import EnvironmentSettings
from tests.function_settings import FUNCTIONS, every_model, settings_of

MODELS = every_model()
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__}.{model.__name__}")
ENVIRONMENT = {
    **{
        f"{name}_TABLE": name.lower() for name in ("PRODUCTS", "PARTNERS", "USERS", "CLICKS", "CONVERSIONS", "EARNINGS")
    },
    **{f"{name}_TABLE": name.lower() for name in ("WALLETS", "RECEIPTS", "COUNTERS", "DELIVERIES", "HEALTH")},
    **{f"{name}_QUEUE_URL": f"https://sqs/{name}" for name in ("POSTBACK", "RETRY", "PARKING", "REPLY")},
    "DEFAULT_CURRENCY": "USD",
    "DEFAULT_REFERRAL_RATE": "0.10",
    "RETRY_SCHEDULE": "10,60",
    "GROUPS_CLAIM": "cognito:groups",
    "NETWORKS_TABLE": "networks",
    "QUIET_HOURS": "6",
}


def required(model: type[EnvironmentSettings]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]


def test_the_settings_of_every_function_are_found():
    without = {path.parent.name for path in FUNCTIONS.glob("*/app.py") if not settings_of(path.parent.name)}
    assert without == {"get_api_docs"}
    assert len(MODELS) > len(list(FUNCTIONS.glob("*/app.py")))


@each_model
def test_every_model_loads_from_variables_in_capitals(model):
    loaded = model.load(ENVIRONMENT | {"PATH": "/bin"})
    assert model.model_fields
    assert all(getattr(loaded, name) for name in required(model))


@each_model
def test_each_missing_variable_is_named(model):
    for name in required(model):
        with pytest.raises(ValidationError) as refused:
            model.load({key: value for key, value in ENVIRONMENT.items() if key != name.upper()})
        assert [error["loc"] for error in refused.value.errors()] == [(name,)]


def test_all_missing_variables_are_named_at_once():
    with pytest.raises(ValidationError) as refused:
        PostbackSettings.load({})
    assert {error["loc"][0] for error in refused.value.errors()} == set(required(PostbackSettings))


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (PostbackSettings, "DEFAULT_REFERRAL_RATE", "ten percent"),
        (NetworkPostbackSettings, "DEFAULT_CURRENCY", "$"),
        (DeliverySettings, "RETRY_SCHEDULE", "soon"),
        (DeliverySettings, "ALLOWED_TARGETS", "127.0.0.1"),
    ],
)
def test_a_malformed_variable_is_named(model, name, value):
    with pytest.raises(ValidationError, match=name.lower()):
        model.load(ENVIRONMENT | {name: value})


def test_values_are_parsed_into_their_types():
    loaded = DeliverySettings.load(ENVIRONMENT | {"ALLOWED_TARGETS": "127.0.0.1:18080"})
    assert loaded.retry_schedule == RetrySchedule((10, 60))
    assert loaded.allowed_targets == AllowedTargets(frozenset({("127.0.0.1", 18080)}))
    assert PostbackSettings.load(ENVIRONMENT).default_referral_rate == Decimal("0.1")


def test_no_private_target_is_allowed_by_default():
    for model in [model for model in MODELS if issubclass(model, TargetSettings)]:
        assert model.load(ENVIRONMENT).allowed_targets == AllowedTargets()
        assert model.load(ENVIRONMENT | {"ALLOWED_TARGETS": ""}).allowed_targets == AllowedTargets()
