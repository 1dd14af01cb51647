"""What operators may set for a partner; a URL that deliveries would refuse is refused here already."""

import itertools
import json
import socket

import pytest

from ricochet.delivery.partners import macros, manage_partners
from ricochet.delivery.partners.manage_partners import ManagePartners, PartnerInput, SavedPartner, check_body_template
from ricochet.delivery.partners.partner import ALL_EVENTS, Filters, Partner
from ricochet.delivery.request import macro_values
from ricochet.errors import InvalidRequestError, PartnerExistsError, PartnerNotFoundError, PartnerUrlNotAllowedError
from ricochet.http.addresses import AllowedTargets
from ricochet.http.resolver import Resolver
from ricochet.ledger.notice import Notice
from ricochet.values import times
from ricochet.values.inputs import validate
from ricochet.values.statuses import Status
from tests.unit.builders import NOON, RecordedAudit, a_delivery, a_notice, a_partner
from tests.unit.hosts import INSIDE_IN_ANY_NOTATION, NO_HOSTS


def no_lookup(host, *_, **__):
    raise AssertionError(f"{host} was looked up")


def check_postback_url(url, allowed, lookup=no_lookup):
    return manage_partners.check_postback_url(url, Resolver(allowed, lookup))


LEAST = {"name": "Partner", "postbackUrl": "https://1.1.1.1/cb?c={click_id}"}
NOWHERE = AllowedTargets()
LOCAL = AllowedTargets.parse("127.0.0.1:18080,127.0.0.1:9001")


def given(**fields) -> PartnerInput:
    return validate(LEAST | fields, PartnerInput)


def test_name_and_url_are_sufficient():
    partner = given()
    assert (partner.method, partner.content_type, partner.events) == ("GET", "json", ALL_EVENTS)
    assert (partner.filters.offer_ids, partner.status_words, partner.status) == ((), {}, "active")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", "  ", None, "x" * 201)),
        *(
            ("postbackUrl", value)
            for value in ("", None, 5, "https://1.1.1.1/" + "x" * 2048, "https://1.1.1.1/?c={clikc}")
        ),
        *(("method", value) for value in ("PUT", "get", None)),
        *(("contentType", value) for value in ("xml", "application/json")),
        *(("bodyTemplate", value) for value in (5, "x" * 8193, '{"a": "{payot}"}')),
        *(("events", value) for value in ([], ["Sale"], "Lead", None, [5])),
        *(
            ("statusWords", value)
            for value in ({"sale": "1"}, {"approved": ""}, {"approved": "x" * 65}, {"approved": 1}, [])
        ),
        *(("filters", value) for value in ({"offerIds": [""]}, {"offerIds": ["x"] * 101}, {"productIds": "p"}, None)),
        *(("partnerId", value) for value in ("", "a b", "x" * 65)),
        ("status", "deleted"),
    ],
)
def test_invalid_field_is_named(field, value):
    with pytest.raises(InvalidRequestError) as refused:
        given(**{field: value})
    assert refused.value.details[0].startswith(field)


def test_unknown_macro_is_refused_with_the_nearest_one():
    with pytest.raises(InvalidRequestError, match=r"\{payot\} is no macro; did you mean \{payout\}\?"):
        given(postbackUrl="https://1.1.1.1/?p={payot}")


def test_events_are_read_in_any_case_without_duplicates():
    assert given(events=["purchase", "LEAD", "Purchase"]).events == ("Purchase", "Lead")


@pytest.mark.parametrize(
    ("names", "stored"),
    [
        ({"Purchase": "1"}, {"approved": "1"}),
        ({"approved": "1", "LEAD": "2"}, {"approved": "1", "pending": "2"}),
        ({"Reject": "3"}, {"rejected": "3", "reversed": "3"}),
        ({"Reject": "3", "reversed": "4"}, {"rejected": "3", "reversed": "4"}),
        ({"reversed": "4", "Reject": "3"}, {"rejected": "3", "reversed": "4"}),
    ],
)
def test_status_names_are_stored_by_canonical_status(names, stored):
    assert given(statusWords=names).status_words == stored


@pytest.mark.parametrize(
    "url", ["https://1.1.1.1/cb?c={click_id}", "http://8.8.8.8:8080/", "https://[2606:4700::1111]/{sub1}"]
)
def test_public_address_is_accepted_without_a_warning(url):
    assert check_postback_url(url, NOWHERE) == []


@pytest.mark.parametrize("port", ["", ":8080"])
@pytest.mark.parametrize("host", INSIDE_IN_ANY_NOTATION)
def test_private_address_is_refused_in_any_notation(host, port):
    with pytest.raises(PartnerUrlNotAllowedError, match=r"postbackUrl leads to .*, which is not a public address"):
        check_postback_url(f"https://{host}{port}/cb?c={{click_id}}", LOCAL)


@pytest.mark.parametrize("host", NO_HOSTS)
def test_ambiguous_host_is_refused(host):
    with pytest.raises(PartnerUrlNotAllowedError, match="postbackUrl"):
        check_postback_url(f"https://{host}/cb", NOWHERE)


@pytest.mark.parametrize("url", ["https://1.1.1.1:9001/", "http://127.0.0.1:18081/", "http://127.0.0.1:9001/"])
def test_port_that_is_not_allowed_is_refused(url):
    with pytest.raises(PartnerUrlNotAllowedError, match=r"postbackUrl leads to .*, which is not a public address"):
        check_postback_url(url, LOCAL)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1.partner.example", "1.2.3.4.5"])
@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "64:ff9b::7f00:1"]
)
def test_name_with_a_private_address_is_refused(host, address):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in ("1.1.1.1", address)]
    with pytest.raises(PartnerUrlNotAllowedError, match=f"{host.lower()} leads to {address}:443"):
        check_postback_url(f"https://{host}/cb", NOWHERE, lambda *_, **__: found)


@pytest.mark.parametrize("failure", [socket.gaierror(socket.EAI_NONAME, "unknown"), TimeoutError("no answer")])
def test_name_without_an_address_is_a_warning(failure):
    def lookup(*_, **__):
        raise failure

    assert check_postback_url("https://new.partner.example/", NOWHERE, lookup) == [
        "new.partner.example has no address at the moment"
    ]


@pytest.mark.parametrize("path", ["/a/../b", "/./a", "/a/%2e%2E/b", "/a/.."])
def test_path_traversal_is_refused(path):
    with pytest.raises(PartnerUrlNotAllowedError, match=r"postbackUrl: the URL's path has \. or \.\. in it"):
        check_postback_url(f"https://1.1.1.1{path}?c={{click_id}}", NOWHERE)


def test_url_of_100_kilobytes_is_refused():
    with pytest.raises(InvalidRequestError, match="postbackUrl: String should have at most 2048 characters"):
        given(postbackUrl="https://1.1.1.1/?x=" + "x" * 100_000)
    assert given(postbackUrl="https://1.1.1.1/".ljust(2048, "x"))


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://1.1.1.1/", "//1.1.1.1/", "1.1.1.1", "", "https://", "file:///etc/passwd", "https://user:pw@1.1.1.1/"),
        *(
            "https://1.1.1.1/a b",
            "https://1.1.1.1\\@x/",
            "https://{sub1}/",
            "https://x.{sub1}.example/",
            "https://1.1.1.1:{sub1}/",
        ),
        *("{sub1}://1.1.1.1/", "https://1.1.1.1:0/", "https://1.1.1.1:99999/", "https://p\u00e4rtner.example/"),
    ],
)
def test_invalid_url_is_refused(url):
    with pytest.raises(PartnerUrlNotAllowedError, match="postbackUrl"):
        check_postback_url(url, NOWHERE)


@pytest.mark.parametrize("url", ["http://[::1", "http://[1.1.1.1]/", "http://x]/"])
def test_url_with_broken_brackets_is_refused(url):
    with pytest.raises(PartnerUrlNotAllowedError):
        check_postback_url(url, NOWHERE)


def test_allowed_local_target_is_accepted():
    assert check_postback_url("http://127.0.0.1:18080/cb", LOCAL) == []


JSON_TEMPLATES = ['{"id": "{click_id}"}', '["{sub1}", {"p": {payout}}]', '{"a": "x{sub1}y{sub2}"}', "{}", '"{status}"']


@pytest.mark.parametrize("template", JSON_TEMPLATES)
def test_template_that_becomes_json_is_accepted(template):
    check_body_template(given(bodyTemplate=template))


@pytest.mark.parametrize("template", ['{"id": "{click_id}"', "id={click_id}", "", "{'a': 1}", '{"a": {click_id}x}'])
def test_template_that_does_not_become_json_is_refused(template):
    with pytest.raises(InvalidRequestError, match="bodyTemplate: "):
        check_body_template(given(bodyTemplate=template))


@pytest.mark.parametrize("template", ['{"id": {click_id}}', '{"s": {status}}', '{"p": {payout}, "s": {sub1}}'])
def test_template_is_accepted_only_if_realistic_values_make_it_json(template):
    values = macro_values(a_delivery(a_notice()), a_partner())
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(macros.fill(template, values, macros.in_json))
    with pytest.raises(InvalidRequestError):
        check_body_template(given(bodyTemplate=template))


def test_form_template_may_be_any_text():
    check_body_template(given(bodyTemplate="id={click_id}&x={", contentType="form"))


def create(manage, **fields):
    return manage.create(LEAST | fields)


class PartnersInMemory:
    def __init__(self):
        self.rows: dict[str, Partner] = {}
        self.forgiven: list[str] = []

    def get(self, partner_id):
        return self.rows.get(partner_id)

    def create(self, partner):
        if self.rows.setdefault(partner.partner_id, partner) is not partner:
            raise PartnerExistsError("taken")

    def replace(self, after, before, *, forgiving):
        assert self.rows[after.partner_id] is before
        self.rows[after.partner_id] = after
        self.forgiven += [after.partner_id] if forgiving else []


@pytest.fixture
def rows():
    return PartnersInMemory()


@pytest.fixture
def manage(rows):
    moments = (f"2026-03-01T12:00:{second:02}.000Z" for second in itertools.count())
    return ManagePartners(rows, rows, RecordedAudit(), Resolver(NOWHERE, no_lookup), clock=lambda: next(moments))


def test_partners_secret_is_shown_once(manage):
    saved = create(manage, partnerId="mine")
    assert (saved.after.signing_secret, saved.warnings) == (saved.secret, [])
    assert SavedPartner.of_change(saved).to_json()["signingSecret"] == saved.secret
    assert saved.secret not in str(saved.after.to_json())
    with pytest.raises(PartnerExistsError):
        create(manage, partnerId="mine")


def test_patch_changes_its_fields_and_keeps_the_secret(manage):
    before = create(manage, partnerId="mine", filters={"offerIds": ["a"]}, statusWords={"Purchase": "1"}).after
    saved = manage.update("mine", {"name": "New", "partnerId": "other", "signingSecret": "mine"})
    changed = before.with_changes(name="New", revision=2, updated_at=saved.after.updated_at)
    assert (saved.after, saved.secret) == (changed, None)


def test_new_secret_signs_beside_the_old_one_for_a_day(manage):
    before = create(manage, partnerId="mine")
    saved = manage.update("mine", {"rotateSigningSecret": True})
    after, until = saved.after, times.plus(saved.after.updated_at, hours=24)
    assert (after.signing_secret, after.previous_secret, after.previous_secret_until) == (
        saved.secret,
        before.secret,
        until,
    )
    assert saved.secret != before.secret
    assert before.after.secrets_at(NOON) == (before.secret,)
    assert after.secrets_at(after.updated_at) == (saved.secret, before.secret)
    assert after.secrets_at(times.plus(until, milliseconds=-1)) == (saved.secret, before.secret)
    assert after.secrets_at(until) == (saved.secret,)


def test_second_rotation_drops_the_oldest_secret(manage):
    create(manage, partnerId="mine")
    second = manage.update("mine", {"rotateSigningSecret": True}).secret
    third = manage.update("mine", {"rotateSigningSecret": True})
    assert third.after.secrets_at(NOON) == (third.secret, second)


def test_neither_secret_is_shown_and_the_end_of_the_old_one_is(manage):
    old = create(manage, partnerId="mine").secret
    after = manage.update("mine", {"rotateSigningSecret": True})
    said = after.after.to_json()
    assert said["previousSecretUntil"] == times.plus(after.after.updated_at, hours=24)
    assert not {"signingSecret", "previousSecret"} & set(said)
    assert old not in str(said)
    assert after.secret not in str(said)
    assert "previousSecretUntil" not in a_partner().to_json()


def test_patch_cannot_set_or_end_the_old_secret(manage):
    create(manage, partnerId="mine")
    rotated = manage.update("mine", {"rotateSigningSecret": True}).after
    patch = {"previousSecret": "mine", "previous_secret": "mine", "previousSecretUntil": NOON}
    after = manage.update("mine", patch)
    assert after.secret is None
    assert after.after == rotated.with_changes(revision=3, updated_at=after.after.updated_at)


def test_rotated_partner_is_stored_and_read_back_unchanged(manage):
    create(manage, partnerId="mine", filters={"offerIds": ["a"]})
    after = manage.update("mine", {"rotateSigningSecret": True}).after
    assert Partner.from_item(after.to_item()) == after


def test_paused_partner_receives_nothing_and_resuming_reports_the_gap(manage, rows):
    create(manage, partnerId="mine")
    paused = manage.update("mine", {"status": "paused"}).after
    saved = manage.update("mine", {"status": "active"})
    assert (paused.pause_reason, saved.after.pause_reason) == ("an operator paused it", None)
    gap = SavedPartner.of_change(saved).missed
    assert (gap.since, gap.until) == (paused.paused_at, saved.after.updated_at)
    assert rows.forgiven == ["mine"]
    first, second = saved.after.active_periods
    received = {
        moment: saved.after.was_subscribed(a_notice(timestamp=moment))
        for moment in (first.since, first.until, second.since, "2026-03-01T11:59:59.999Z")
    }
    assert list(received.values()) == [True, False, True, False]


def test_active_period_ends_when_the_subscription_changes(manage):
    create(manage, partnerId="mine", events=["Lead"])
    manage.update("mine", {"name": "only another name"})
    partner = manage.update("mine", {"events": ["Purchase"]}).after
    assert [period.events for period in partner.active_periods] == [("Lead",), ("Purchase",)]
    lead = a_notice(status=Status.PENDING, timestamp=partner.active_periods[0].since)
    assert partner.was_subscribed(lead)
    assert not partner.is_subscribed(lead)


@pytest.mark.parametrize(
    "fields",
    [
        {"maxPerSecond": 0},
        {"maxPerSecond": "fast"},
        {"maxPerSecond": 1001},
        {"filters": {"ownClicks": {"sub9": ["a"]}}},
        {"filters": {"ownClicks": {"sub1": []}}},
        {"logins": ["u"] * 21},
        {"replyUpdatesStatus": "perhaps"},
    ],
)
def test_invalid_setting_is_refused_by_its_name(fields):
    with pytest.raises(InvalidRequestError) as refused:
        given(**fields)
    assert refused.value.details[0].startswith(next(iter(fields)))


@pytest.mark.parametrize(
    ("patch", "refusal"),
    [
        ({"postbackUrl": "http://127.0.0.1/"}, PartnerUrlNotAllowedError),
        ({"bodyTemplate": "not json"}, InvalidRequestError),
        ({"events": ["Sale"]}, InvalidRequestError),
    ],
)
def test_patch_is_checked_like_a_new_partner(manage, patch, refusal):
    before = create(manage, partnerId="mine").after
    with pytest.raises(refusal):
        manage.update("mine", patch)
    assert manage.get("mine") == before


def test_unknown_partner_is_not_found(manage):
    with pytest.raises(PartnerNotFoundError):
        manage.update(manage.get("nobody"), {})


@pytest.mark.parametrize(
    ("filters", "notice", "matches"),
    [
        ({}, {}, True),
        ({"offer_ids": ("a",)}, {"offer_id": "a"}, True),
        ({"offer_ids": ("a", "b")}, {"offer_id": "c"}, False),
        ({"offer_ids": ("a",)}, {"offer_id": ""}, False),
        ({"product_ids": ("p",)}, {"product_id": "p", "offer_id": "x"}, True),
        ({"product_ids": ("p",)}, {"product_id": "q"}, False),
        ({"product_ids": ("p",), "offer_ids": ("a",)}, {"product_id": "p", "offer_id": "b"}, False),
        ({"network_ids": ("n",)}, {"network": "n"}, True),
        ({"network_ids": ("n",)}, {"network": ""}, False),
        ({"own_clicks": {"sub1": ("acme",)}}, {"sub1": "acme"}, True),
        ({"own_clicks": {"sub1": ("acme",)}}, {"sub1": "other"}, False),
        ({"own_clicks": {"sub1": ("acme",), "px": ("1",)}}, {"sub1": "acme"}, False),
    ],
)
def test_all_filters_must_match_and_an_empty_one_always_does(filters, notice, matches):
    assert Filters(**filters).match(a_notice(**notice)) is matches


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("events", [("Lead",), ("Purchase", "Reject"), ALL_EVENTS])
def test_partner_receives_the_events_it_chose(status, events):
    notice: Notice = a_notice(status=status)
    assert a_partner(events=events).is_subscribed(notice) is (status.lead_word in events)
    assert not a_partner(events=events, filters=Filters(offer_ids=("none",))).is_subscribed(notice)


def test_partner_gets_its_own_status_names_or_the_lead_names():
    partner = a_partner(status_words={"approved": "1"})
    assert [partner.status_word(status) for status in Status] == ["Lead", "1", "Reject", "Trash", "Reject"]
