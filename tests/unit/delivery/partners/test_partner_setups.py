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
    """A client that answers as it is told and fails at every call that was not expected."""
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
    """The writes of the next transaction, which is taken; filled in when it comes."""
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


def test_a_new_partner_is_saved_with_its_logins_each_once(aws, setups):
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
def test_a_new_partner_that_is_refused_leaves_nothing_to_be_undone(aws, setups, reasons, refusal):
    refuses(aws, *reasons)
    with pytest.raises(refusal):
        setups.create(a_partner(logins=("u-1",)))


def is_tied(aws, user_id, partner_id):
    aws.add_response("get_item", {"Item": to_wire({"userId": user_id, "partnerId": partner_id})})


def test_who_comes_is_tied_and_who_goes_is_untied_in_the_same_save(aws, setups):
    is_tied(aws, "goes", "part_1")
    writes = takes(aws)
    setups.replace(AFTER, BEFORE, forgiving=False)
    people = [("Update", "users", user("comes")), ("Update", "users", user("goes"))]
    assert writes == [("Put", "partners", to_wire(AFTER.to_item())), *people]


def test_a_login_that_was_anothers_all_along_is_only_taken_off(aws, setups):
    is_tied(aws, "goes", "part_2")
    writes = takes(aws)
    setups.replace(AFTER, BEFORE, forgiving=False)
    assert [key for _, table, key in writes if table == "users"] == [user("comes")]


def test_what_it_failed_with_is_forgiven_with_the_same_save(aws, setups):
    aws.add_response("get_item", {"Item": to_wire(HEALTH.to_item())})
    writes = takes(aws)
    setups.replace(BEFORE.with_changes(revision=2), BEFORE, forgiving=True)
    (partner, health) = writes
    assert partner[:2] == ("Put", "partners")
    assert health[:2] == ("Put", "health")
    assert (health[2]["failures"], health[2]["revision"]) == ({"N": "0"}, {"N": "4"})


def test_a_partner_of_which_no_failure_is_known_needs_no_forgiveness(aws, setups):
    aws.add_response("get_item", {})
    writes = takes(aws)
    setups.replace(BEFORE.with_changes(revision=2), BEFORE, forgiving=True)
    assert [table for _, table, _ in writes] == ["partners"]


@pytest.mark.parametrize(
    ("reasons", "refusal", "why"),
    [
        ([FAILED, HELD, HELD], ChangedMeanwhileError, "the partner was changed meanwhile"),
        ([HELD, FAILED, HELD], LoginTakenError, "comes belongs to another partner"),
        ([HELD, HELD, FAILED, HELD], ChangedMeanwhileError, "deliveries to the partner were under way"),
        ([HELD, HELD, HELD, FAILED], ChangedMeanwhileError, "goes was changed meanwhile"),
    ],
)
def test_a_change_that_is_refused_changes_nothing(aws, setups, reasons, refusal, why):
    aws.add_response("get_item", {"Item": to_wire(HEALTH.to_item())})
    is_tied(aws, "goes", "part_1")
    refuses(aws, *reasons)
    with pytest.raises(refusal, match=why):
        setups.replace(AFTER, BEFORE, forgiving=True)


def test_a_save_that_meets_a_transaction_has_not_happened(aws):
    aws.add_client_error("put_item", "TransactionConflictException")
    assert not PartnersTable(aws.client, "partners").replace(AFTER, BEFORE.revision)
