"""Operators manage products and partners, and nobody else can."""

from __future__ import annotations

import pytest

from ricochet.delivery.deliveries_table import Listing
from ricochet.delivery.replay_deliveries import ReplayRequest
from ricochet.dynamodb.paging import encode_cursor
from ricochet.ledger.conversion import day_shards
from ricochet.ledger.conversions_table import BY_DAY
from ricochet.values import times

PRODUCT = {"name": "Offer", "taskUrl": "https://example.com/offer", "earnUpTo": "12.50"}
PARTNER = {
    "name": "Partner",
    "postbackUrl": "https://partner.example/pb?c={click_id}",
    "filters": {"productIds": ["a-product-without-clicks"]},
}
KINDS = [("products", "productId", PRODUCT), ("partners", "partnerId", PARTNER)]


@pytest.mark.parametrize(("kind", "key", "fields"), KINDS)
class TestBothKinds:
    def test_users_are_forbidden(self, person, kind, key, fields):
        for answer in (
            person.app.create(kind, **fields),
            person.app.get(f"/api/v1/admin/{kind}"),
            person.app.get(f"/api/v1/admin/{kind}/x"),
            person.app.patch(kind, "x", name="mine"),
        ):
            assert (answer.status, answer.code) == (403, "FORBIDDEN")

    def test_a_created_row_can_be_read_listed_and_changed(self, admin, kind, key, fields):
        created = admin.create(kind, **fields)
        assert created.status == 201
        row_id = created.data[key]
        path = f"/api/v1/admin/{kind}/{row_id}"
        assert admin.get(path).data["name"] == fields["name"]
        changed = admin.patch(kind, row_id, name="Another", status="paused")
        assert (changed.status, changed.data["name"]) == (200, "Another")
        assert admin.get(path).data["status"] == "paused"
        assert row_id in listed(admin, kind, key, status="paused")
        assert row_id not in listed(admin, kind, key, status="active")
        assert row_id in listed(admin, kind, key)

    def test_a_given_id_can_be_used_only_once(self, admin, kind, key, fields):
        wanted = f"given-{kind}"
        assert admin.create(kind, **fields, **{key: wanted}).data[key] == wanted
        answer = admin.create(kind, **fields, **{key: wanted})
        assert (answer.status, answer.code) == (409, f"{kind[:-1].upper()}_EXISTS")

    def test_an_unknown_id_is_not_found(self, admin, kind, key, fields):
        for answer in (admin.get(f"/api/v1/admin/{kind}/none"), admin.patch(kind, "none", name="x")):
            assert (answer.status, answer.code) == (404, f"{kind[:-1].upper()}_NOT_FOUND")

    def test_an_unknown_field_is_ignored_with_a_warning(self, admin, kind, key, fields):
        answer = admin.create(kind, **fields, nmae="x")
        assert answer.status == 201
        assert "did you mean name?" in answer.body["warnings"][-1]

    @pytest.mark.parametrize("status", ["gone", "ACTIVE", 5, None])
    def test_an_invalid_status_is_refused(self, admin, kind, key, fields, status):
        answer = admin.create(kind, **fields, status=status)
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert answer.body["error"]["details"][0].startswith("status:")

    def test_the_error_names_each_missing_field(self, admin, kind, key, fields):
        answer = admin.create(kind, name="x")
        assert answer.status == 400
        named = {detail.partition(":")[0] for detail in answer.body["error"]["details"]}
        assert named == set(fields) - {"name", "filters"}


@pytest.mark.parametrize(
    ("kind", "fields", "snake_case", "name"),
    [
        ("products", PRODUCT, "earn_up_to", "earnUpTo"),
        ("products", PRODUCT, "click_ttl_hours", "clickTtlHours"),
        ("partners", PARTNER, "max_per_second", "maxPerSecond"),
        ("networks", {"name": "Network"}, "reward_rate", "rewardRate"),
    ],
)
def test_snake_case_field_names_are_accepted_in_post_and_patch(admin, kind, fields, snake_case, name):
    others = {field: value for field, value in fields.items() if field != name}
    created = admin.create(kind, **others, **{snake_case: 5})
    assert (created.status, created.data[name]) == (201, 5)
    row_id = created.data[f"{kind[:-1]}Id"]
    changed = admin.patch(kind, row_id, **{snake_case: 7})
    assert (changed.status, changed.data[name]) == (200, 7)
    assert "ignored" not in str([created.body, changed.body])
    both = admin.patch(kind, row_id, **{snake_case: 8, name: 9})
    assert both.data[name] == 9
    assert f"{snake_case} is not a field and was ignored" in both.body["warnings"][-1]


def listed(admin, kind, key, **query) -> set[str]:
    found, cursor = set(), {}
    while True:
        page = admin.get(f"/api/v1/admin/{kind}", limit=50, **query, **cursor).data
        found |= {item[key] for item in page["items"]}
        if page["nextCursor"] is None:
            return found
        cursor = {"cursor": page["nextCursor"]}


class TestProducts:
    def test_a_product_shows_every_field_and_its_token_only_once(self, admin):
        created = admin.create("products", **PRODUCT).data
        token = created.pop("postbackToken")
        assert token.startswith("pbt_")
        assert created | {"productId": "", "createdAt": "", "updatedAt": ""} == {
            "productId": "",
            "name": "Offer",
            "taskUrl": "https://example.com/offer",
            "allowedHosts": ["example.com"],
            "earnUpTo": 12.5,
            "currency": "USD",
            "clickTtlHours": 24,
            "postbackAuth": {"mode": "secret", "allowedCidrs": []},
            "approval": "auto",
            "defaultStatus": "approved",
            "multipleConversions": False,
            "holdDays": 0,
            "caps": {},
            "status": "active",
            "createdAt": "",
            "updatedAt": "",
        }
        read = admin.get(f"/api/v1/admin/products/{created['productId']}")
        assert token not in str(read.body)
        assert "oken" not in "".join(read.data)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("earnUpTo", -1),
            ("earnUpTo", "NaN"),
            ("earnUpTo", "1.1234567"),
            ("earnUpTo", None),
            ("currency", "dollars and cents"),
            ("taskUrl", "ftp://example.com"),
            ("taskUrl", "https://user@example.com"),
            ("taskUrl", "nonsense"),
            ("clickTtlHours", 0),
            ("clickTtlHours", 1.5),
            ("approval", "maybe"),
            ("defaultStatus", "sale"),
            ("referralRate", 1.5),
            ("postbackAuth.mode", "hope"),
            ("allowedHosts", ["https://example.com/"]),
            ("productId", "no spaces please"),
        ],
    )
    def test_the_error_names_the_invalid_field(self, admin, field, value):
        outer, _, inner = field.partition(".")
        answer = admin.create("products", **PRODUCT | {outer: {inner: value} if inner else value})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert any(detail.startswith(field) for detail in answer.body["error"]["details"])

    def test_authentication_by_ip_requires_valid_networks(self, admin):
        answer = admin.create("products", **PRODUCT, postbackAuth={"mode": "ip"})
        assert answer.status == 400
        answer = admin.create("products", **PRODUCT, postbackAuth={"mode": "ip", "allowedCidrs": ["10.0.0.0/99"]})
        assert answer.status == 400

    def test_a_new_task_url_updates_the_allowed_hosts(self, admin):
        product_id = admin.create("products", **PRODUCT).data["productId"]
        changed = admin.patch("products", product_id, taskUrl="https://other.example/").data
        assert changed["allowedHosts"] == ["other.example"]

    def test_a_task_url_outside_the_allowed_hosts_is_refused(self, admin):
        answer = admin.create("products", **PRODUCT, allowedHosts=["other.example"])
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")


class TestPartners:
    def test_a_signing_secret_is_shown_only_once(self, admin):
        created = admin.create("partners", **PARTNER).data
        secret = created["signingSecret"]
        assert secret not in str(admin.get(f"/api/v1/admin/partners/{created['partnerId']}").body)
        renewed = admin.patch("partners", created["partnerId"], rotateSigningSecret=True).data["signingSecret"]
        assert renewed not in (None, secret)
        assert "signingSecret" not in admin.patch("partners", created["partnerId"], name="x").data

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://partner.example/",
            "partner.example/pb",
            "http://user:password@partner.example/",
            "http://127.0.0.1/",
            "http://localhost/",
            "http://[::1]/",
            "http://10.1.2.3/",
            "http://192.168.0.1/",
            "http://172.16.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://100.64.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0/",
            "http://127.0.0.1:9001/",
            "http://{domain}/pb",
            "https://partner.example\\@127.0.0.1/",
        ],
    )
    def test_a_url_of_a_private_address_is_refused(self, admin, url):
        answer = admin.create("partners", **PARTNER | {"postbackUrl": url})
        assert (answer.status, answer.code) == (400, "PARTNER_URL_NOT_ALLOWED")

    def test_an_unknown_macro_is_refused_with_a_suggestion(self, admin):
        answer = admin.create("partners", **PARTNER | {"postbackUrl": "https://partner.example/?c={clik_id}"})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert "{click_id}" in answer.body["message"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("events", ["Leads"]),
            ("events", []),
            ("method", "PUT"),
            ("contentType", "xml"),
            ("statusWords", {"Sold": "x"}),
            ("bodyTemplate", "{nonsense_macro}"),
        ],
    )
    def test_the_error_names_the_invalid_field(self, admin, field, value):
        answer = admin.create("partners", **PARTNER | {field: value})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert answer.body["error"]["details"][0].startswith(field)

    def test_a_body_template_that_is_not_json_is_refused(self, admin):
        answer = admin.create("partners", **PARTNER, method="POST", bodyTemplate='{"id": {click_id')
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")

    def test_status_words_accept_either_name_of_a_status(self, admin):
        words = {"Purchase": "sold", "reject": "no", "reversed": "back"}
        shown = admin.create("partners", **PARTNER, statusWords=words, events=["lead", "PURCHASE"]).data
        assert shown["statusWords"] == {"approved": "sold", "rejected": "no", "reversed": "back"}
        assert shown["events"] == ["Lead", "Purchase"]


class TestForgedCursors:
    """The seal of a cursor is no secret: a key at which DynamoDB cannot start is the caller's error, not ours."""

    @pytest.fixture
    def refused(self, admin):
        def check(where: str, scope: str, key: dict, client=admin, **query) -> None:
            answer = client.get(where, cursor=encode_cursor(scope, key), **query)
            assert (answer.status, answer.code) == (400, "INVALID_CURSOR"), (scope, key)

        return check

    @pytest.mark.parametrize("key", [{"other": "x"}, {"productId": 5}, {"productId": 1.5}, {"productId": {}}])
    def test_on_a_whole_table(self, refused, key):
        refused("/api/v1/admin/products", "productId:None", key)

    @pytest.mark.parametrize("key", [{"productId": "x"}, {"productId": "x", "status": "paused"}, {"status": "active"}])
    def test_on_an_index(self, refused, key):
        refused("/api/v1/admin/products", "productId:active", key, status="active")
        refused("/api/v1/earn/products", "productId:active", key)

    def test_on_another_users_rows(self, refused, person, new_person):
        key = {"userId": new_person().user_id, "earningId": "EARN-1"}
        refused("/api/v1/earn/earnings", f"earnings:{person.user_id}", key, client=person.app)

    @pytest.mark.parametrize("start", [{"dayShard": "2026-03-01#x"}, {"conversionId": "x"}, "text"])
    def test_on_shards(self, refused, start):
        day = "2026-03-01"
        shards = day_shards(day)
        scope = "|".join([BY_DAY, *shards])
        refused("/api/v1/admin/conversions", scope, {shards[0]: start}, day=day)
        refused("/api/v1/admin/conversions", scope, {"another": {}}, day=day)

    @pytest.mark.parametrize("key", [{"createdAt": "5"}, {"created_at": ""}, {"created_at": 5}, {"created_at": "!"}])
    def test_on_deliveries(self, refused, key):
        others = {"conversion_id": "x", "delivery_key": "y"}
        refused("/api/v1/admin/deliveries", Listing("p").scope, others | key, partnerId="p")
        refused("/api/v1/admin/deliveries/undelivered", "undelivered", others | key | {"state": "parked"})
        refused("/api/v1/admin/deliveries/undelivered", "undelivered", others | key)

    @pytest.mark.parametrize("state", ["missing", "parked"])
    def test_on_a_replay(self, admin, state):
        partner_id = admin.create("partners", **PARTNER).data["partnerId"]
        today = times.now()[:10]
        span = {"partnerId": partner_id, "from": today, "to": today, "state": state}
        scope = ReplayRequest.model_validate(span).scope
        shard = day_shards(today)[0]
        for key in ({"dayShard": shard}, {"dayShard": "x", "updatedAt": "y", "conversionId": "z"}, {"created_at": "x"}):
            answer = admin.call(
                "POST", "/api/v1/admin/deliveries/replay", json=span | {"cursor": encode_cursor(scope, key)}
            )
            assert (answer.status, answer.code) == (400, "INVALID_CURSOR")
