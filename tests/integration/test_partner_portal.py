"""Partners change their own settings and see their own deliveries, and nothing of any other partner."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from local.accounts import sign_in
from local.client import Client
from ricochet.clicks.users_table import UsersTable
from ricochet.delivery.delivery import Delivery, DeliveryState
from ricochet.delivery.partners.health_table import HealthTable
from ricochet.delivery.partners.partner_health import PARTNER
from ricochet.delivery.partners.partner_setups import PartnerSetups
from ricochet.delivery.partners.partners_table import PartnersTable
from ricochet.errors import ChangedMeanwhileError
from ricochet.values.lifecycle import Lifecycle
from tests.integration.api_description import checked
from tests.integration.campaign import Campaign, path
from tests.waiting import eventually

PROFILE, DELIVERIES = "/api/v1/partner/profile", "/api/v1/partner/deliveries"
ROUTES = [
    *(("GET", PROFILE), ("PUT", PROFILE), ("POST", f"{PROFILE}/secret"), ("POST", f"{PROFILE}/test")),
    *(("GET", DELIVERIES), ("GET", f"{DELIVERIES}/CONV-1/1")),
]
numbers = itertools.count()


@dataclass(frozen=True)
class Login:
    user_id: str
    app: Client

    def put(self, **fields):
        return self.app.call("PUT", PROFILE, json=fields)

    def post(self, what, **fields):
        return self.app.call("POST", f"{PROFILE}/{what}", json=fields)


@pytest.fixture
def new_login(stack):
    """A user of the group partners that belongs to no partner yet."""

    def make() -> Login:
        account = sign_in(stack, f"login-{next(numbers)}", "partners")
        return Login(account.user_id, checked(Client(stack.api_url, account.token)))

    return make


@pytest.fixture
def mine(campaign, new_login):
    """Create a partner that receives at a path; return its login and its id."""

    def make(where: str, **fields) -> tuple[Login, str]:
        login = new_login()
        return login, campaign.add_partner(where, logins=[login.user_id], **fields)["partnerId"]

    return make


def is_signed(request: dict, secret: str) -> bool:
    """Return whether any of the signatures is valid, as a receiver would check."""
    parts, headers = urlsplit(request["url"]), request["headers"]
    payload = request.get("body", f"{parts.path}?{parts.query}")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{payload}".encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{digest}" in headers["webhook-signature"].split()


class TestAccess:
    @pytest.mark.parametrize(("method", "where"), ROUTES)
    def test_the_group_partners_is_required_even_of_operators(self, person, admin, campaign, method, where):
        campaign.add_partner(path("ok"), logins=[person.user_id])
        for client in (person.app, admin):
            answer = client.call(method, where)
            assert (answer.status, answer.body["message"]) == (403, "this needs the group partners")

    @pytest.mark.parametrize(("method", "where"), ROUTES)
    def test_a_login_without_a_partner_is_forbidden(self, new_login, method, where):
        answer = new_login().app.call(method, where)
        assert (answer.status, answer.body["message"]) == (403, "this login belongs to no partner")

    def test_the_group_partners_gives_no_access_to_the_admin_api(self, mine):
        login, partner_id = mine(path("ok"))
        for where in ("deliveries/undelivered", f"partners/{partner_id}", "partners"):
            assert login.app.get(f"/api/v1/admin/{where}").status == 403

    def test_the_user_and_the_partner_must_refer_to_each_other(self, mine, admin, rows, new_login):
        login, partner_id = mine(path("ok"))
        assert login.app.get(PROFILE).data["partnerId"] == partner_id
        rows.set("Partners", {"partnerId": partner_id}, logins=[])
        assert login.app.get(PROFILE).status == 403
        another = new_login()
        rows.set("Partners", {"partnerId": partner_id}, logins=[another.user_id])
        assert another.app.get(PROFILE).status == 403

    def test_a_removed_login_is_forbidden_at_once(self, mine, admin):
        login, partner_id = mine(path("ok"))
        admin.patch("partners", partner_id, logins=[])
        assert login.app.get(PROFILE).status == 403

    def test_a_partner_with_a_taken_login_is_not_created_at_all(self, mine, admin, new_login, rows, partners):
        login, partner_id = mine(path("ok"))
        free, name = new_login(), path("not created")
        fields = {"name": name, "postbackUrl": f"{partners.url}/ok", "filters": {"productIds": ["none"]}}
        answer = admin.create("partners", **fields, logins=[free.user_id, login.user_id])
        assert (answer.status, answer.code) == (409, "LOGIN_TAKEN")
        assert rows.find("Partners", name=name) == []
        taken = admin.create("partners", **fields, logins=[free.user_id], partnerId=partner_id)
        assert (taken.status, taken.code) == (409, "PARTNER_EXISTS")
        assert login.app.get(PROFILE).data["partnerId"] == partner_id
        created = admin.create("partners", **fields, logins=[free.user_id]).data
        assert free.app.get(PROFILE).data["partnerId"] == created["partnerId"]

    def test_a_refused_change_leaves_logins_and_health_unchanged(self, mine, admin, new_login, rows, stack):
        (login, partner_id), (taken, _), free = mine(path("ok")), mine(path("ok")), new_login()
        admin.patch("partners", partner_id, status="paused")
        health = {"kind": PARTNER, "subject": partner_id}
        rows.set("Health", health, failures=9, revision=1, updatedAt="2026-03-01T12:00:00.000Z", ttl=2**32)
        answer = admin.patch("partners", partner_id, logins=[free.user_id, taken.user_id], status="active")
        assert (answer.status, answer.code) == (409, "LOGIN_TAKEN")
        partners, users, health_table = (
            kind(stack.aws.dynamodb, stack.table(kind.__name__.removesuffix("Table")))
            for kind in (PartnersTable, UsersTable, HealthTable)
        )
        seen = partners.get(partner_id)
        admin.patch("partners", partner_id, name="changed since then")
        after = seen.with_changes(logins=(free.user_id,), status=Lifecycle.ACTIVE, revision=seen.revision + 1)
        with pytest.raises(ChangedMeanwhileError):
            PartnerSetups(partners, users, health_table).replace(after, seen, forgiving=True)
        assert login.app.get(PROFILE).data["status"] == "paused"
        assert free.app.get(PROFILE).status == 403
        assert health_table.of_partner(partner_id).failures == 9
        changed = admin.patch("partners", partner_id, logins=[free.user_id], status="active")
        assert changed.status == 200
        assert free.app.get(PROFILE).data["status"] == "active"
        assert login.app.get(PROFILE).status == 403
        assert health_table.of_partner(partner_id).failures == 0

    def test_an_archived_partner_is_forbidden_and_a_paused_one_is_not(self, mine, admin):
        login, partner_id = mine(path("ok"))
        admin.patch("partners", partner_id, status="paused")
        assert login.app.get(PROFILE).data["status"] == "paused"
        admin.patch("partners", partner_id, status="archived")
        assert [login.app.call(*route).status for route in ROUTES] == [403] * len(ROUTES)


class TestProfile:
    def test_the_profile_shows_all_settings_but_no_secret(self, mine, admin):
        login, partner_id = mine(path("ok"), statusWords={"Purchase": "sold"}, maxPerSecond=5)
        shown = login.app.get(PROFILE).data
        known = admin.get(f"/api/v1/admin/partners/{partner_id}").data
        assert shown == {name: value for name, value in known.items() if name != "logins"}
        assert (shown["statusWords"], shown["maxPerSecond"]) == ({"approved": "sold"}, 5)
        assert "ecret" not in str(shown)

    def test_only_the_given_fields_change(self, mine, admin, partners):
        login, _ = mine(path("ok"), events=["Lead"])
        before = login.app.get(PROFILE).data
        changes = {
            "postbackUrl": f"{partners.url}/ok/new?id={{click_id}}",
            "method": "POST",
            "contentType": "form",
            "bodyTemplate": "id={click_id}",
            "statusWords": {"approved": "sold"},
        }
        answer = login.put(**changes)
        assert answer.data == before | changes | {"updatedAt": answer.data["updatedAt"]}
        assert "warnings" not in answer.body
        assert login.app.get(PROFILE).data == answer.data
        renamed = login.put(status_words={"approved": "bought"})
        assert (renamed.data["statusWords"], "warnings" in renamed.body) == ({"approved": "bought"}, False)

    def test_a_partner_cannot_change_the_operators_fields(self, mine, admin, new_login):
        login, partner_id = mine(path("ok"), maxPerSecond=2)
        given = {"maxPerSecond": 100, "logins": [], "status": "archived", "replyUpdatesStatus": True, "name": "x"}
        answer = login.put(events=["Purchase"], **given, signingSecret="mine", partnerId="other")
        assert answer.status == 200
        assert len(answer.body["warnings"]) == 7
        known = admin.get(f"/api/v1/admin/partners/{partner_id}").data
        assert (known["maxPerSecond"], known["logins"], known["status"]) == (2, [login.user_id], "active")
        assert (known["replyUpdatesStatus"], known["events"]) == (False, ["Purchase"])

    def test_a_partner_cannot_change_its_own_click_filter(self, mine, admin):
        login, partner_id = mine(path("ok"))
        own = {"ownClicks": {"sub1": ["acme"]}}
        admin.patch("partners", partner_id, filters={"productIds": ["p-1"]} | own)
        for other in ({}, {"sub1": ["other"]}, {"sub1": ["acme", "other"]}, {"sub1": ["acme"], "sub2": ["x"]}):
            answer = login.put(filters={"ownClicks": other})
            assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
            assert answer.body["message"].startswith("filters.ownClicks: ")
        shown = login.put(filters={"offerIds": ["o-1"], "own_clicks": {}}).data["filters"]
        assert shown == {"offerIds": ["o-1"], "productIds": [], "networkIds": []} | own
        assert login.put(filters=shown).data["filters"] == shown

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("postbackUrl", None),
            ("postbackUrl", "https://partner.example/?c={clik_id}"),
            ("bodyTemplate", "{nonsense}"),
            ("events", []),
            ("filters", "all"),
            ("method", "DELETE"),
        ],
    )
    def test_the_error_names_the_invalid_field(self, mine, field, value):
        login, _ = mine(path("ok"))
        answer = login.put(**{field: value})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")
        assert answer.body["error"]["details"][0].startswith(field)

    @pytest.mark.parametrize(
        "url", ["http://localhost/", "http://169.254.169.254/", "http://127.0.0.1:9001/", "http://0/"]
    )
    def test_a_url_of_a_private_address_is_refused(self, mine, url):
        login, _ = mine(path("ok"))
        answer = login.put(postbackUrl=url)
        assert (answer.status, answer.code) == (400, "PARTNER_URL_NOT_ALLOWED")
        if "localhost" in url:
            assert "127.0.0.1" not in str(answer.body)
            assert "::1" not in str(answer.body)

    def test_a_rotated_secret_is_shown_once_and_signs_at_once(self, mine):
        login, _ = mine(path("ok"), method="POST")
        secret = login.post("secret").data["signingSecret"]
        assert secret.startswith("whsec_")
        assert secret not in str(login.app.get(PROFILE).body)
        assert is_signed(login.post("test").data["request"], secret)


class TestTestPostback:
    def test_a_get_is_shown_as_it_was_sent(self, mine, partners, admin):
        where = path("ok")
        login, partner_id = mine(where)
        secret = admin.patch("partners", partner_id, rotateSigningSecret=True).data["signingSecret"]
        answer = login.post("test", status="reversed").data
        (received,) = partners.at(where)
        request, response = answer["request"], answer["response"]
        assert (request["method"], request["url"]) == ("GET", f"{partners.url}{where}?{query_of(received)}")
        assert received.query["status"] == "Reject"
        assert {name: received.headers[name] for name in request["headers"]} == request["headers"]
        assert received.delivery_id.startswith("test_")
        assert is_signed(request, secret)
        assert (response["statusCode"], response["reply"]) == (200, "OK")
        assert "error" not in response

    def test_a_post_is_shown_with_its_body(self, mine, partners):
        where = path("ok")
        login, _ = mine(where, method="POST", bodyTemplate='{"id": "{click_id}", "money": {payout}}')
        request = login.post("test").data["request"]
        (received,) = partners.at(where)
        assert request["body"] == received.body
        assert request["body"].startswith('{"id": "test_')

    def test_a_failing_server_is_shown_with_its_reply(self, mine, partners):
        where = path("scripted")
        partners.answers[where], partners.replies[where] = 500, "x" * 5000
        login, _ = mine(where)
        response = login.post("test").data["response"]
        assert (response["statusCode"], response["reply"]) == (500, "x" * 1024)
        assert response["ms"] >= 0

    def test_a_secret_in_the_url_is_masked(self, mine, partners):
        where = path("ok")
        login, _ = mine(where, query="click_id={click_id}&token=s3cret")
        assert "s3cret" not in str(login.post("test").body)
        assert partners.at(where)[0].query["token"] == "s3cret"

    @pytest.mark.parametrize("url", ["http://localhost:9/{sub1}", "http://localhost:9001/", "http://169.254.169.254/"])
    def test_a_name_that_now_resolves_to_a_private_address_is_not_requested(self, mine, rows, url):
        login, partner_id = mine(path("ok"))
        rows.set("Partners", {"partnerId": partner_id}, postbackUrl=url)
        answer = login.post("test").data
        assert answer["response"]["error"].endswith("is not a public address")
        assert "127.0.0.1" not in str(answer)
        assert "::1" not in str(answer)
        assert "statusCode" not in answer["response"]

    def test_a_slow_server_is_given_five_seconds(self, mine, partners):
        login, _ = mine(path("held"))
        with partners.holding():
            response = login.post("test").data["response"]
        assert response["error"] == "no complete answer within 5 s"

    def test_a_test_postback_is_not_recorded(self, mine, partners, rows):
        where = path("down")
        login, partner_id = mine(where)
        for _ in range(3):
            assert login.post("test").data["response"]["statusCode"] == 503
        assert not rows.find("Deliveries", partnerId=partner_id)
        assert not rows.find("Health", subject=partner_id)

    @pytest.mark.parametrize("status", ["Sale", 5, None])
    def test_an_unknown_status_is_refused(self, mine, status):
        login, _ = mine(path("ok"))
        assert login.post("test", status=status).status == 400


class TestDeliveries:
    @pytest.fixture
    def two(self, mine, campaign):
        """Two partners that receive the same conversions, one of them purchases only."""
        first, _ = mine(path("ok"), query="c={click_id}&u={user_id}", statusWords={"Purchase": "sold"})
        second, _ = mine(path("missing"), events=["Purchase"])
        return first, second

    def test_each_partner_sees_its_own_deliveries(self, two, campaign, person):
        first, second = two
        campaign.report("Lead")
        eventually(lambda: len(campaign.deliveries()) == 1, "the Lead")
        campaign.report("Purchase", amount=7)
        rows = ended(campaign, 3)
        assert [item["status"] for item in listed(first)] == ["sold", "Lead"]
        assert [(item["status"], item["state"]) for item in listed(second)] == [("Purchase", "parked")]
        own = {row.delivery_id for row in rows if row.state is DeliveryState.DELIVERED}
        assert {item["deliveryId"] for item in listed(first)} == own
        newest = listed(first)[0]
        assert newest == {
            "deliveryId": newest["deliveryId"],
            "conversionId": rows[0].conversion_id,
            "sourceConversionId": rows[0].conversion_id,
            "version": 2,
            "state": "delivered",
            "status": "sold",
            "payout": "7",
            "currency": "USD",
            "clickId": campaign.click_id,
            "subid": campaign.click_id,
            "attemptCount": 1,
            "createdAt": newest["createdAt"],
            "updatedAt": newest["updatedAt"],
        }

    def test_a_delivery_shows_its_attempts_but_no_user_data_outside_the_partners_url(self, two, campaign, person):
        first, second = two
        campaign.report("Purchase")
        rows = ended(campaign, 2)
        where = f"{DELIVERIES}/{rows[0].conversion_id}/1"
        mine, other = first.app.get(where).data, second.app.get(where).data
        assert [attempt["statusCode"] for attempt in mine["attempts"]] == [200]
        assert mine["attempts"][0]["reply"] == "OK"
        assert [attempt["statusCode"] for attempt in other["attempts"]] == [404] * 4
        assert mine["deliveryId"] != other["deliveryId"]
        assert mine.pop("url").endswith(f"?c={campaign.click_id}&u={person.user_id}")
        assert person.user_id not in str([mine, other, listed(first), listed(second)])
        assert {"notice", "ip", "userId", "partnerId"}.isdisjoint(mine)

    def test_a_delivery_of_another_partner_is_not_found(self, two, campaign):
        first, second = two
        campaign.report("Lead")
        (row,) = eventually(campaign.deliveries, "the Lead")
        assert first.app.get(f"{DELIVERIES}/{row.conversion_id}/1").status == 200
        for guess in (f"{row.conversion_id}/1", f"{row.conversion_id}/000001", f"{row.conversion_id}/2", "CONV-1/1"):
            answer = second.app.get(f"{DELIVERIES}/{guess}")
            assert (answer.status, answer.code) == (404, "DELIVERY_NOT_FOUND")
        assert second.app.get(f"{DELIVERIES}/{row.conversion_id}/1/{row.partner_id}").status == 404

    def test_a_query_for_another_partner_finds_nothing(self, two, campaign):
        _, second = two
        campaign.report("Lead")
        (row,) = eventually(campaign.deliveries, "the Lead")
        for query in (
            {"partnerId": row.partner_id},
            {"conversionId": row.conversion_id},
            {"partner_id": row.partner_id},
        ):
            assert second.app.get(DELIVERIES, **query).data["items"] == []

    def test_a_cursor_of_another_partner_is_refused(self, two, campaign):
        first, second = two
        campaign.report("Lead")
        eventually(campaign.deliveries, "the Lead")
        cursor = first.app.get(DELIVERIES, limit=1).data["nextCursor"]
        assert first.app.get(DELIVERIES, limit=1, cursor=cursor).data == {"items": [], "nextCursor": None}
        answer = second.app.get(DELIVERIES, limit=1, cursor=cursor)
        assert (answer.status, answer.code) == (400, "INVALID_CURSOR")

    def test_deliveries_can_be_filtered_by_state_and_time(self, two, campaign):
        first, second = two
        campaign.report("Purchase")
        rows = ended(campaign, 2)
        for state in DeliveryState:
            assert len(listed(first, state=state)) == (state is DeliveryState.DELIVERED)
            assert len(listed(second, state=state)) == (state is DeliveryState.PARKED)
        ours = next(row for row in rows if row.state is DeliveryState.DELIVERED)
        assert len(listed(first, **{"from": ours.created_at, "to": ours.created_at})) == 1
        assert listed(first, to="2026-01-01") == []
        assert first.app.get(DELIVERIES, state="lost").status == 400


def ended(campaign: Campaign, number: int) -> list[Delivery]:
    """Return the deliveries, once so many have ended."""

    def look() -> list[Delivery]:
        rows = [row for row in campaign.deliveries() if row.state.is_terminal]
        return rows if len(rows) == number else []

    return eventually(look, f"the end of {number} deliveries")


def listed(login: Login, **query) -> list[dict]:
    data = login.app.get(DELIVERIES, limit=100, **query).data
    assert data["nextCursor"] is None
    return data["items"]


def query_of(received) -> str:
    return "&".join(f"{name}={value}" for name, value in received.query.items())
