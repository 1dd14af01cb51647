"""Tables: protected, on demand, and keyed by attributes of their entities."""

import pytest

from ricochet.clicks import users_table as users
from ricochet.clicks.click import Click
from ricochet.clicks.product import Product
from ricochet.clicks.user import User
from ricochet.delivery import deliveries_table as deliveries
from ricochet.delivery.delivery import Delivery
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_health import PartnerHealth
from ricochet.dynamodb import catalog_table as catalog
from ricochet.intake import networks_table as networks
from ricochet.intake.network import Network
from ricochet.ledger import conversions_table as conversions
from ricochet.ledger import earnings_table as earnings
from ricochet.ledger import receipts_table as receipts
from ricochet.ledger.caps import Counter
from ricochet.ledger.conversion import Conversion
from ricochet.ledger.earning import Earning, Wallet
from ricochet.ledger.receipt import Receipt
from tests.template.cloudformation import load

TEMPLATE = load()
TABLES = TEMPLATE.of_type("DynamoDB::Table")
each_table = pytest.mark.parametrize("table", sorted(TABLES))
ENTITIES = {
    "Products": Product,
    "Partners": Partner,
    "Networks": Network,
    "Users": User,
    "Clicks": Click,
    "Conversions": Conversion,
    "Earnings": Earning,
    "Wallets": Wallet,
    "Counters": Counter,
    "Receipts": Receipt,
    "Deliveries": Delivery,
    "Health": PartnerHealth,
}
KEYS = {
    "Products": ["productId"],
    "Partners": ["partnerId"],
    "Networks": ["uniqueKey"],
    "Users": ["userId"],
    "Clicks": ["clickId"],
    "Conversions": ["conversionId"],
    "Earnings": ["userId", "earningId"],
    "Wallets": ["userId", "currency"],
    "Counters": ["counterId"],
    "Receipts": ["receiptId"],
    "Deliveries": ["conversionId", "deliveryKey"],
    "Health": ["kind", "subject"],
}
INDEXES = {
    "Products": {catalog.BY_STATUS: ["status", "productId"]},
    "Partners": {catalog.BY_STATUS: ["status", "partnerId"]},
    "Users": {users.BY_REFERRAL_CODE: ["referralCode"]},
    "Networks": {networks.BY_NETWORK_ID: ["networkId"]},
    "Conversions": {conversions.BY_DAY: ["dayShard", "updatedAt"]},
    "Earnings": {
        earnings.BY_WAITING: ["waitingShard", "earningId"],
        earnings.BY_CREDIT_AFTER: ["creditShard", "creditAfter"],
    },
    "Receipts": {
        receipts.BY_SOURCE_DAY: ["sourceDay", "receiptId"],
        receipts.BY_CLICK: ["clickId", "receiptId"],
    },
    "Deliveries": {
        deliveries.BY_DUE: ["partnerId", "dueAt"],
        deliveries.BY_PARTNER: ["partnerShard", "createdAt"],
        deliveries.BY_STATE: ["stateShard", "createdAt"],
    },
}


def keys(schema: list[dict]) -> list[str]:
    assert [key["KeyType"] for key in schema] == ["HASH", "RANGE"][: len(schema)]
    return [key["AttributeName"] for key in schema]


def indexes(table: str) -> dict[str, list[str]]:
    found = TABLES[table].get("GlobalSecondaryIndexes", [])
    return {index["IndexName"]: keys(index["KeySchema"]) for index in found}


def attributes(table: str) -> set[str]:
    entity = ENTITIES[table]
    return {field.alias for field in (*entity.model_fields.values(), *entity.model_computed_fields.values())}


def test_there_is_a_table_for_each_entity():
    assert set(TABLES) == set(ENTITIES) == set(KEYS)


@each_table
def test_a_tables_key_consists_of_attributes_of_its_entity(table):
    assert keys(TABLES[table]["KeySchema"]) == KEYS[table]
    assert set(KEYS[table]) <= attributes(table)


@each_table
def test_a_table_has_the_indexes_that_are_queried_over_attributes_of_its_entity(table):
    assert indexes(table) == INDEXES.get(table, {})
    assert {name for index in indexes(table).values() for name in index} <= attributes(table)
    assert "LocalSecondaryIndexes" not in TABLES[table]


@each_table
def test_exactly_the_key_attributes_are_defined_as_strings(table):
    used = {*KEYS[table], *(name for index in indexes(table).values() for name in index)}
    assert {
        one["AttributeName"]: one["AttributeType"] for one in TABLES[table]["AttributeDefinitions"]
    } == dict.fromkeys(used, "S")


@each_table
def test_a_key_attribute_is_required(table):
    fields = {field.alias: field for field in ENTITIES[table].model_fields.values()}
    assert all(fields[name].is_required() for name in KEYS[table])


@each_table
def test_a_table_is_on_demand_encrypted_and_recoverable(table):
    assert TABLES[table]["BillingMode"] == "PAY_PER_REQUEST"
    assert TABLES[table]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert TABLES[table]["SSESpecification"] == {"SSEEnabled": True}


@each_table
@pytest.mark.parametrize(("environment", "is_protected"), [("prod", True), ("dev", False), ("local", False)])
def test_a_table_is_protected_in_prod(table, environment, is_protected):
    protection = TABLES[table]["DeletionProtectionEnabled"]
    assert TEMPLATE.resolve(protection, Environment=environment) is is_protected
    assert TEMPLATE.resources[table]["UpdateReplacePolicy"] == "Retain"


@each_table
def test_exactly_the_tables_whose_entity_has_a_ttl_expire_items(table):
    expected = {"AttributeName": "ttl", "Enabled": True} if "ttl" in attributes(table) else None
    assert TABLES[table].get("TimeToLiveSpecification") == expected


def test_money_never_expires():
    assert all("ttl" not in attributes(table) for table in ("Earnings", "Wallets", "Conversions", "Users"))


def test_the_stream_has_old_and_new_images():
    assert TABLES["Conversions"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_users_are_protected_like_their_money(environment):
    protection = TEMPLATE.resources["UserPool"]["Properties"]["DeletionProtection"]
    assert TEMPLATE.resolve(protection, Environment=environment) == ("ACTIVE" if environment == "prod" else "INACTIVE")
