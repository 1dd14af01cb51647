"""A partner, its logins and its health are saved in one call or not at all."""

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner_health import PARTNER, PartnerHealth
from ricochet.delivery.partners.partner_setups import PartnerSetups
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.dynamodb.transaction import TRIES
from ricochet.dynamodb.wire import to_wire
from ricochet.errors import ChangedMeanwhileError, LoginTakenError, PartnerExistsError
from tests.unit.builders import NOON, a_partner

HELD, FAILED = {"Code": "None"}, {"Code": "ConditionalCheckFailed"}
BEFORE = a_partner(logins=("stays", "goes"))
AFTER = BEFORE.with_changes(logins=("stays", "comes"), revision=2)
HEALTH = PartnerHealth(kind=PARTNER, subject="part_1", failures=7, revision=3, updated_at=NOON, ttl=1)


@pytest.fixture
def aws():
    """A client with prepared answers that fails at every unexpected call."""
    client = boto3.client("dynamodb", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def setups(aws):
    return PartnerSetups(
        PartnersTable(aws.client, "partners"), UsersTable(aws.client, "users"), HealthTable(aws.client, "health")
    )


def refuses(aws, *reasons):
    """The next transaction, at each of its tries."""
    for _ in range(1 if FAILED in reasons else TRIES):
        aws.add_client_error(
            "transact_write_items",
            "TransactionCanceledException",
            modeled_fields={"CancellationReasons": list(reasons)},
        )


def takes(aws) -> list[dict]:
    """The writes of the next transaction, which succeeds; filled in when it is sent."""
    writes: list[dict] = []

    def keep(params, **_):
        writes.extend(
            (kind, write["TableName"], write.get("Item", write.get("Key")))
            for one in params["TransactItems"]
            for kind, write in one.items()
        )

    aws.add_response("transact_write_items", {})
    aws.client.meta.events.register_first("before-parameter-build.dynamodb.TransactWriteItems", keep)
    return writes


def user(user_id):
    return to_wire({"userId": user_id})


def test_new_partner_is_saved_with_each_login_once(aws, setups):
    partner, writes = a_partner(logins=("u-1", "u-2", "u-1")), takes(aws)
    setups.create(partner)
    assert writes[0] == ("Put", "partners", to_wire(partner.to_item()))
    ties = [("Update", "users", user("u-1")), ("Update", "users", user("u-2"))]
    assert sorted(writes[1:], key=str) == ties


@pytest.mark.parametrize(
    ("reasons", "refusal"),
    [
        ([FAILED, HELD], PartnerExistsError),
        ([HELD, FAILED], LoginTakenError),
        ([FAILED, FAILED], PartnerExistsError),
        ([HELD, {"Code": "TransactionConflict"}], ChangedMeanwhileError),
        ([HELD, {"Code": "ThrottlingError"}], ClientError),
    ],
)
def test_refused_partner_leaves_nothing_behind(aws, setups, reasons, refusal):
    refuses(aws, *reasons)
    with pytest.raises(refusal):
        setups.create(a_partner(logins=("u-1",)))


def is_tied(aws, user_id, partner_id):
    aws.add_response("get_item", {"Item": to_wire({"userId": user_id, "partnerId": partner_id})})


def test_logins_are_added_and_removed_in_the_same_save(aws, setups):
    is_tied(aws, "goes", "part_1")
    writes = takes(aws)
    setups.replace(AFTER, BEFORE, forgiving=False)
    people = [("Update", "users", user("comes")), ("Update", "users", user("goes"))]
    assert writes == [("Put", "partners", to_wire(AFTER.to_item())), *people]


def test_login_of_another_partner_is_only_removed(aws, setups):
    is_tied(aws, "goes", "part_2")
    writes = takes(aws)
    setups.replace(AFTER, BEFORE, forgiving=False)
    assert [key for _, table, key in writes if table == "users"] == [user("comes")]


def test_health_is_forgiven_in_the_same_save(aws, setups):
    aws.add_response("get_item", {"Item": to_wire(HEALTH.to_item())})
    writes = takes(aws)
    setups.replace(BEFORE.with_changes(revision=2), BEFORE, forgiving=True)
    (partner, health) = writes
    assert partner[:2] == ("Put", "partners")
    assert health[:2] == ("Put", "health")
    assert (health[2]["failures"], health[2]["revision"]) == ({"N": "0"}, {"N": "4"})


def test_partner_without_failures_needs_no_forgiveness(aws, setups):
    aws.add_response("get_item", {})
    writes = takes(aws)
    setups.replace(BEFORE.with_changes(revision=2), BEFORE, forgiving=True)
    assert [table for _, table, _ in writes] == ["partners"]


@pytest.mark.parametrize(
    ("reasons", "refusal", "why"),
    [
        ([FAILED, HELD, HELD], ChangedMeanwhileError, "the partner was changed at the same time"),
        ([HELD, FAILED, HELD], LoginTakenError, "comes belongs to another partner"),
        ([HELD, HELD, FAILED, HELD], ChangedMeanwhileError, "deliveries to the partner were under way"),
        ([HELD, HELD, HELD, FAILED], ChangedMeanwhileError, "goes was changed at the same time"),
    ],
)
def test_refused_change_changes_nothing(aws, setups, reasons, refusal, why):
    aws.add_response("get_item", {"Item": to_wire(HEALTH.to_item())})
    is_tied(aws, "goes", "part_1")
    refuses(aws, *reasons)
    with pytest.raises(refusal, match=why):
        setups.replace(AFTER, BEFORE, forgiving=True)


def test_save_that_conflicts_with_a_transaction_has_no_effect(aws):
    aws.add_client_error("put_item", "TransactionConflictException")
    assert not PartnersTable(aws.client, "partners").replace(AFTER, BEFORE.revision)
