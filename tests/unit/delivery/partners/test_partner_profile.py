"""Which partner a login belongs to, what a partner may set, and what it sees."""

import socket

import pytest

from ricochet.clicks.user import User
from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.manage_deliveries import ListingQuery
from ricochet.delivery.partners.partner import Filters, Partner
from ricochet.delivery.partners.partner_deliveries import OwnAttempt, OwnDelivery, OwnDeliverySummary, PartnerDeliveries
from ricochet.delivery.partners.partner_logins import PartnerLogins
from ricochet.delivery.partners.partner_profile import PartnerProfile, Profile, SampleRequest
from ricochet.errors import (
    ChangedMeanwhileError,
    DeliveryNotFoundError,
    ForbiddenError,
    InvalidRequestError,
    PartnerUrlNotAllowedError,
)
from ricochet.http.addresses import AllowedTargets
from ricochet.http.client import SendResult
from ricochet.http.resolver import Resolver
from ricochet.values.lifecycle import Lifecycle
from ricochet.values.statuses import Status
from tests.unit.builders import IN_AN_HOUR, SECRET, RecordedAudit, a_delivery, a_notice, a_partner, an_attempt

PUBLIC = "https://1.1.1.1/cb?c={click_id}"


class TestLogins:
    @staticmethod
    def partner_of(claims=None, claim="", user=None, **partner) -> Partner:
        partners = {"part_1": a_partner(**{"logins": ("user_1",)} | partner)}
        users = {"user_1": User(user_id="user_1", partner_id="part_1") if user is None else user}
        return PartnerLogins(partners, users, claim).partner_of("user_1", claims or {})

    def test_login_requires_the_user_and_the_partner_to_name_each_other(self):
        assert self.partner_of().partner_id == "part_1"

    @pytest.mark.parametrize(
        "facts",
        [
            {"user": User(user_id="user_1")},
            {"user": User(user_id="user_1", partner_id="part_2")},
            {"logins": ()},
            {"logins": ("user_2",)},
            {"status": Lifecycle.ARCHIVED},
        ],
        ids=["user names none", "user names another", "partner names none", "partner names another", "archived"],
    )
    def test_other_logins_belong_to_no_partner(self, facts):
        with pytest.raises(ForbiddenError):
            self.partner_of(**facts)

    def test_claim_names_the_partner_if_it_is_configured(self):
        unknown = User(user_id="user_1")
        assert self.partner_of({"partner": "part_1"}, "partner", unknown, logins=()).partner_id == "part_1"
        for claims in ({"partner": "part_2"}, {"partner": ""}, {"other": "part_1"}, {}):
            with pytest.raises(ForbiddenError):
                self.partner_of(claims, "partner", unknown, logins=())

    def test_claim_that_is_not_configured_is_ignored(self):
        with pytest.raises(ForbiddenError):
            self.partner_of({"partner": "part_1", "": "part_1"}, "", User(user_id="user_1"))

    def test_claim_takes_precedence_over_the_tables(self):
        with pytest.raises(ForbiddenError):
            self.partner_of({"partner": "part_2"}, "partner")

    def test_token_without_the_claim_is_looked_up(self):
        assert self.partner_of({"sub": "user_1"}, "partner").partner_id == "part_1"

    def test_claim_of_an_archived_partner_is_refused(self):
        with pytest.raises(ForbiddenError):
            self.partner_of({"partner": "part_1"}, "partner", status=Lifecycle.ARCHIVED)


class Portal:
    """One stored partner, and a sender that records its requests."""

    def __init__(self, lookup=socket.getaddrinfo, **partner):
        self.audit = RecordedAudit()
        self.partner = a_partner(**{"postback_url": PUBLIC} | partner)
        self.lost_race, self.sent = False, []
        self.change = PartnerProfile(
            self, self.audit, Resolver(AllowedTargets(), lookup), self, clock=lambda: IN_AN_HOUR
        )

    def replace(self, partner, revision):
        assert revision == self.partner.revision
        if not self.lost_race:
            self.partner = partner
        return not self.lost_race

    def send(self, outbound):
        self.sent.append(outbound)
        return SendResult(an_attempt(500, reply="no"))

    def put(self, **given):
        return self.change.update(self.partner, given)


class TestProfile:
    def test_given_fields_are_set_and_the_others_kept(self):
        portal = Portal(max_per_second=2, logins=("user_1",))
        before = portal.partner
        saved = portal.put(events=["lead"], statusWords={"Purchase": "sold"}, method="POST", bodyTemplate="{}")
        changed = {"events": ("Lead",), "status_words": {"approved": "sold"}, "method": "POST", "body_template": "{}"}
        assert {name: getattr(portal.partner, name) for name in changed} == changed
        kept = ("max_per_second", "logins", "status", "signing_secret", "postback_url", "name", "created_at")
        assert all(getattr(portal.partner, name) == getattr(before, name) for name in kept)
        assert (saved.after, saved.warnings, saved.secret) == (portal.partner, [], None)

    def test_fields_that_are_not_editable_are_ignored_with_a_warning(self):
        portal = Portal()
        given = {
            "status": "archived",
            "logins": ["x"],
            "maxPerSecond": 9,
            "rotateSigningSecret": True,
            "events": ["Lead"],
        }
        saved = portal.put(**given)
        assert [warning.partition(" ")[0] for warning in saved.warnings] == [
            *("logins", "maxPerSecond", "rotateSigningSecret", "status"),
        ]
        assert (portal.partner.status, portal.partner.logins, portal.partner.max_per_second) == ("active", (), None)
        assert portal.partner.signing_secret == SECRET

    def test_changed_subscription_begins_a_new_active_period(self):
        portal = Portal()
        portal.put(events=["Lead"])
        assert portal.partner.active_periods[-1].events == ("Lead",)
        assert portal.partner.revision == 2

    @pytest.mark.parametrize(
        ("given", "refusal"),
        [
            ({"postbackUrl": "http://127.0.0.1/"}, PartnerUrlNotAllowedError),
            ({"postbackUrl": "https://1.1.1.1/{nonsense}"}, InvalidRequestError),
            ({"bodyTemplate": "no json"}, InvalidRequestError),
            ({"filters": None}, InvalidRequestError),
        ],
    )
    def test_change_is_checked_like_an_operators(self, given, refusal):
        portal = Portal()
        before = portal.partner
        with pytest.raises(refusal):
            portal.put(**given)
        assert portal.partner is before

    def test_refusal_does_not_show_the_address_of_a_name(self):
        portal = Portal(lookup=lambda *_, **__: [(2, 1, 6, "", ("10.1.2.3", 443))])
        with pytest.raises(PartnerUrlNotAllowedError) as refused:
            portal.put(postbackUrl="https://inside.example/")
        assert refused.value.message == "postbackUrl: inside.example leads to what is not a public address"

    @pytest.mark.parametrize("own", [{}, {"sub1": ["acme", "other"]}, {"sub2": ["acme"]}, {"sub1": ["b"]}])
    def test_own_clicks_filter_cannot_be_changed(self, own):
        portal = Portal(filters=Filters(own_clicks={"sub1": ("acme",)}))
        with pytest.raises(InvalidRequestError, match=r"filters\.ownClicks"):
            portal.put(filters={"ownClicks": own})

    def test_other_filters_can_be_changed(self):
        mine = {"sub1": ("acme",)}
        portal = Portal(filters=Filters(own_clicks=mine, offer_ids=("o",)))
        portal.put(filters={"productIds": ["p"], "own_clicks": {}})
        assert portal.partner.filters == Filters(own_clicks=mine, product_ids=("p",))
        portal.put(filters={"ownClicks": {"sub1": ["acme"]}})
        assert portal.partner.filters == Filters(own_clicks=mine)

    def test_rotated_secret_is_different(self):
        portal = Portal()
        rotated = portal.change.rotate_secret(portal.partner)
        assert rotated.signing_secret == portal.partner.signing_secret != SECRET
        assert rotated.previous_secret_until == portal.partner.previous_secret_until
        assert [line["action"] for line in portal.audit.lines] == ["secret.rotated"]
        assert rotated.signing_secret not in str(portal.audit.lines)

    def test_concurrent_change_is_refused(self):
        portal = Portal()
        portal.lost_race = True
        for change in (portal.put, lambda: portal.change.rotate_secret(portal.partner)):
            with pytest.raises(ChangedMeanwhileError):
                change()

    def test_no_secret_and_nobodys_login_is_shown(self):
        partner = a_partner(logins=("user_1",), pause_reason="why", paused_at=IN_AN_HOUR)
        shown_one = Profile.from_entity(partner).to_json()
        assert SECRET not in str(shown_one)
        assert {"logins", "active_periods", "revision", "signingSecret"}.isdisjoint(shown_one)
        assert (shown_one["pauseReason"], shown_one["partnerId"]) == ("why", "part_1")


class TestSample:
    def tried(self, portal, status=Status.APPROVED):
        return portal.change.try_out(portal.partner, SampleRequest(status=status)).to_json()

    def test_test_postback_cannot_be_mistaken_for_money(self):
        portal = Portal(
            postback_url="https://1.1.1.1/?a={click_id}&b={conversion_id}&c={transaction_id}&d={delivery_id}"
        )
        self.tried(portal)
        (outbound,) = portal.sent
        assert outbound.headers["webhook-id"].startswith("test_")
        assert all(pair.partition("=")[2].startswith("test_") for pair in outbound.url.partition("?")[2].split("&"))

    def test_each_test_postback_has_its_own_id(self):
        portal = Portal()
        self.tried(portal)
        self.tried(portal)
        assert len({outbound.headers["webhook-id"] for outbound in portal.sent}) == 2

    def test_whole_exchange_is_shown_with_secrets_masked(self):
        portal = Portal(
            postback_url="https://1.1.1.1/?token=s3cret&s={status}",
            method="POST",
            body_template='{"p": {payout}}',
            status_words={"rejected": "no"},
        )
        tried = self.tried(portal, Status.REJECTED)
        assert "s3cret" not in str(tried)
        assert tried["request"]["url"].endswith("&s=no")
        assert tried["request"]["body"] == '{"p": 1.00}'
        assert {"content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature"} <= set(
            tried["request"]["headers"]
        )
        assert tried["response"] == {"at": IN_AN_HOUR, "ms": 12, "statusCode": 500, "reply": "no"}

    def test_test_postback_changes_nothing(self):
        portal = Portal()
        before = portal.partner
        self.tried(portal)
        assert portal.partner is before


REFUSED = {
    "error": "x.example leads to 10.1.2.3:80, which is not a public address",
    "partner_error": "x.example leads to what is not a public address",
}


class TestDeliveries:
    ROW = a_delivery(
        a_notice(user_id="user_9", ip="203.0.113.9", sub1="s", subid="mine", conversion_id="theirs"),
        state=DeliveryState.PARKED,
        url="https://partner.example/cb",
        attempts=(an_attempt(None, **REFUSED),),
    )

    def test_nothing_of_the_person_is_shown(self):
        for view in (OwnDeliverySummary, OwnDelivery):
            shown_one = view.of(self.ROW, a_partner()).to_json()
            assert "user_9" not in str(shown_one)
            assert "203.0.113.9" not in str(shown_one)
            assert "notice" not in shown_one

    def test_partner_finds_the_conversion_by_its_own_status_names(self):
        found = OwnDeliverySummary.of(self.ROW, a_partner(status_words={"approved": "sold"})).to_json()
        facts = {name: found[name] for name in ("status", "payout", "subid", "conversionId", "sourceConversionId")}
        assert facts == {
            "status": "sold",
            "payout": "2.5",
            "subid": "mine",
            "conversionId": "CONV-1",
            "sourceConversionId": "theirs",
        }

    def test_private_address_of_a_name_is_not_shown(self):
        (attempt,) = OwnDelivery.of(self.ROW, a_partner()).to_json()["attempts"]
        assert attempt["error"] == "x.example leads to what is not a public address"
        assert OwnAttempt.of(an_attempt(None, error="SSLError")).error == "SSLError"
        assert "error" not in OwnAttempt.of(an_attempt(200)).to_json()

    def test_listing_is_always_limited_to_one_partner(self):
        asked = []

        class Table:
            def get(self, *key):
                asked.append(key)

            def list_page(self, listing, limit, cursor):
                asked.append(listing.partner_id)

        deliveries = PartnerDeliveries(Table())
        with pytest.raises(DeliveryNotFoundError):
            deliveries.get(a_partner(), "CONV-1", "1")
        deliveries.list_page(a_partner(), ListingQuery.parse({"partnerId": "part_2", "state": "parked"}), 1, None)
        assert asked == [("CONV-1", "000001#part_1"), "part_1"]
