"""What operators may set for a product, and how it is stored."""

from decimal import Decimal

import pytest

from ricochet.clicks.manage_products import OPEN_AND_AUTO, ManageProducts, ProductInput, ProductView
from ricochet.clicks.product import Approval, Caps, Offer, hash_token
from ricochet.errors import ChangedMeanwhileError, InvalidRequestError, ProductExistsError, ProductNotFoundError
from ricochet.intake.advertiser_authentication import is_authentic
from ricochet.values.inputs import validate
from tests.unit.builders import NOON, RecordedAudit, a_postback, a_product

LEAST = {"name": "Shop", "taskUrl": "https://shop.example/offer", "earnUpTo": Decimal(5)}


class ProductsInMemory:
    def __init__(self):
        self.rows = {}

    def get(self, product_id):
        return self.rows.get(product_id)

    def create(self, row):
        return self.rows.setdefault(row.product_id, row) is row

    def replace(self, row, revision):
        if self.rows[row.product_id].revision != revision:
            return False
        self.rows[row.product_id] = row
        return True


@pytest.fixture
def manage():
    return ManageProducts(ProductsInMemory(), RecordedAudit(), "USD", clock=lambda: NOON)


def given(**fields) -> ProductInput:
    return validate(LEAST | fields, ProductInput)


def create(manage, **fields):
    """The product, and its token or secret in clear text."""
    change = manage.create(LEAST | fields)
    return change.after, change.secret


def update(manage, product_id, patch):
    change = manage.update(product_id, patch)
    return change.after, change.secret


def test_name_url_and_price_are_sufficient(manage):
    product, token = create(manage)
    assert product.product_id.startswith("prod_")
    assert (product.allowed_hosts, product.currency, product.click_ttl_hours) == (("shop.example",), "USD", 24)
    assert (product.status, product.revision, product.created_at, product.updated_at) == ("active", 1, NOON, NOON)
    assert (product.multiple_conversions, product.referral_rate, product.approval) == (False, None, None)
    assert (product.default_status, product.postback_auth.mode) == ("approved", "secret")
    assert is_authentic(product, token, a_postback())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", value) for value in ("", "   ", None, 5, "x" * 201)),
        *(("taskUrl", value) for value in ("", "shop.example", "javascript:alert(1)", "https://u@shop.example", None)),
        *(("earnUpTo", value) for value in ("-1", Decimal(-1), "NaN", "five", None, True, "0.0000001", 1.5)),
        *(("currency", value) for value in ("$", "US", None, 840)),
        *(("clickTtlHours", value) for value in (0, -1, 2161, Decimal("1.5"), "soon", None)),
        *(("allowedHosts", value) for value in (["other.example"], "shop.example", ["shop.example"] * 21, None)),
        *(("approval", value) for value in ("never", "", 1)),
        *(("defaultStatus", value) for value in ("paid", None)),
        *(("referralRate", value) for value in ("1.01", "-0.1", "ten")),
        *(("status", value) for value in ("deleted", None)),
        *(("holdDays", value) for value in (-1, 91, Decimal("1.5"), "a week", None)),
        *(("caps", value) for value in (5, None, {"perUser": 0}, {"minSeconds": 24 * 90 * 3600 + 1}, {"perWeek": 5})),
        *(("productId", value) for value in ("", "a b", "a/b", "p\n", "x" * 65, "\u00e9")),
        *(("postbackAuth", value) for value in ("secret", {"mode": "none"}, {"mode": "ip"}, None)),
        ("multipleConversions", "perhaps"),
    ],
)
def test_a_wrong_field_is_named(field, value):
    with pytest.raises(InvalidRequestError) as refused:
        given(**{field: value})
    assert any(field in detail for detail in refused.value.details)


def test_an_unknown_cap_is_refused_and_not_ignored():
    with pytest.raises(InvalidRequestError) as refused:
        given(caps={"perUser": 1, "perUsr": 1, "perDay": "many"})
    assert [detail.partition(":")[0] for detail in refused.value.details] == ["caps.perDay", "caps.perUsr"]


def test_caps_are_stored_and_replaced_as_a_whole(manage):
    product, _ = create(manage, caps={"perUser": 3, "minSeconds": 30}, holdDays=7)
    assert (product.caps, product.hold_days) == (Caps(per_user=3, min_seconds=30), 7)
    product, _ = update(manage, product.product_id, {"caps": {"perDay": 5}})
    assert (product.caps, product.hold_days) == (Caps(per_day=5), 7)


def test_a_product_has_the_deployments_currency_by_default():
    manage = ManageProducts(ProductsInMemory(), RecordedAudit(), "COINS", clock=lambda: NOON)
    product, _ = create(manage)
    assert product.currency == "COINS"
    assert update(manage, product.product_id, {"currency": "EUR"})[0].currency == "EUR"
    assert update(manage, product.product_id, {"name": "x"})[0].currency == "EUR"


@pytest.mark.parametrize(
    "host", ["a b", "a/b", "", "user@shop.example", "shop.example:443", "shop.example.", "*.example", "h:0"]
)
def test_an_invalid_host_is_named_by_its_position(host):
    with pytest.raises(InvalidRequestError) as refused:
        given(allowedHosts=["shop.example", host])
    assert refused.value.details[0].startswith("allowedHosts.1: ")


@pytest.mark.parametrize("block", ["10.0.0.1/8", "10.0.0.0/33", "everyone", "10.0.0", "::1/129"])
def test_an_invalid_address_block_is_named_by_its_position(block):
    with pytest.raises(InvalidRequestError) as refused:
        given(postbackAuth={"mode": "ip", "allowedCidrs": ["192.0.2.0/24", block]})
    assert refused.value.details[0].startswith("postbackAuth.allowedCidrs.1: ")


@pytest.mark.parametrize("rate", [None, 0, 1, "0.25"])
def test_a_commission_rate_is_between_0_and_1(manage, rate):
    product, _ = create(manage, referralRate=rate)
    assert product.referral_rate == (None if rate is None else Decimal(rate))


def test_an_error_across_fields_is_reported_for_the_body():
    with pytest.raises(InvalidRequestError, match=r"^body: allowedHosts must hold the host of taskUrl"):
        given(allowedHosts=["other.example"])


def test_values_are_stored_in_a_canonical_form(manage):
    product, _ = create(
        manage,
        name=" Shop ",
        taskUrl="https://Pay.Shop.example:8443/x",
        allowedHosts=["PAY.shop.example:8443"],
        currency="eur",
        postbackAuth={"mode": "ip", "allowedCidrs": ["192.0.2.7", "2001:DB8::/32"]},
    )
    assert (product.name, product.currency) == ("Shop", "EUR")
    assert product.allowed_hosts == ("pay.shop.example:8443",)
    assert product.postback_auth.allowed_cidrs == ("192.0.2.7/32", "2001:db8::/32")


@pytest.mark.parametrize("mode", ["ip", "open"])
def test_only_a_product_with_a_secret_has_a_token(manage, mode):
    product, token = create(manage, postbackAuth={"mode": mode, "allowedCidrs": ["192.0.2.0/24"]})
    assert (token, product.postback_token_hash) == (None, None)


def test_a_product_is_shown_without_its_token(manage):
    product, token = create(manage, productId="mine")
    for view in (ProductView.of(product).to_json(), Offer.from_entity(product).to_json()):
        assert view["productId"] == "mine"
        assert token not in str(view)
        assert hash_token(token) not in str(view)
    assert ProductView.of(product).to_json()["approval"] == "auto"
    assert set(Offer.from_entity(product).to_json()) == {
        "productId",
        "name",
        "taskUrl",
        "earnUpTo",
        "currency",
        "clickTtlHours",
    }


def test_neither_hash_nor_secret_nor_revision_is_shown():
    product = a_product(postback_secret="whsec_AAAA", revision=7)
    for view in (ProductView.of(product).to_json(), Offer.from_entity(product).to_json()):
        assert {"postbackTokenHash", "postbackSecret", "revision"}.isdisjoint(view)
        assert "whsec_" not in str(view)


@pytest.mark.parametrize(
    ("mode", "approval", "warned"),
    [("open", "auto", True), ("open", None, False), ("open", "manual", False), ("secret", "auto", False)],
)
def test_an_open_product_with_auto_approval_causes_a_warning(manage, mode, approval, warned):
    change = manage.create(LEAST | {"postbackAuth": {"mode": mode}, "approval": approval})
    assert list(change.warnings) == ([OPEN_AND_AUTO] if warned else [])
    assert list(manage.update(change.after.product_id, {"name": "x"}).warnings) == list(change.warnings)


def test_an_unknown_field_causes_a_warning(manage):
    (warning,) = manage.create(LEAST | {"productId": "mine", "earnUpto": 5}).warnings
    assert warning == "earnUpto is not a field and was ignored; did you mean earnUpTo?"
    assert list(manage.update("mine", {"earnUpto": 5}).warnings) == [warning]


def test_a_taken_id_is_refused(manage):
    create(manage, productId="mine")
    with pytest.raises(ProductExistsError):
        create(manage, productId="mine", name="Other")
    assert manage.get("mine").name == "Shop"


def test_a_missing_product_is_not_found(manage):
    with pytest.raises(ProductNotFoundError):
        manage.get("nobody")
    with pytest.raises(ProductNotFoundError):
        update(manage, "nobody", {})


@pytest.fixture
def mine(manage):
    product, _ = create(manage, productId="mine", approval="manual")
    return product


def test_a_patch_changes_only_the_fields_that_it_contains(manage, mine):
    after, token = update(manage, "mine", {"name": "New", "earnUpTo": Decimal("7.5")})
    assert after == mine.with_changes(name="New", earn_up_to=Decimal("7.5"), revision=2)
    assert (token, manage.get("mine")) == (None, after)


def test_a_patch_can_remove_a_value(manage, mine):
    after, _ = update(manage, "mine", {"approval": None})
    assert (mine.approval, after.approval) == (Approval.MANUAL, None)


@pytest.mark.parametrize(
    "patch", [{"name": ""}, {"earnUpTo": None}, {"allowedHosts": ["other.example"]}, {"status": "x"}]
)
def test_a_bad_patch_changes_nothing(manage, mine, patch):
    with pytest.raises(InvalidRequestError):
        update(manage, "mine", patch)
    assert manage.get("mine") == mine


def test_a_patch_cannot_move_a_product_to_another_id_or_set_its_hash(manage, mine):
    after, _ = update(
        manage, "mine", {"productId": "other", "postbackTokenHash": "x", "revision": 99, "createdAt": "x"}
    )
    assert after == mine.with_changes(revision=2)


def test_hosts_derived_from_the_url_follow_a_new_url(manage, mine):
    after, _ = update(manage, "mine", {"taskUrl": "https://new.example/x"})
    assert after.allowed_hosts == ("new.example",)


def test_configured_hosts_stay_until_they_are_changed(manage):
    create(manage, productId="mine", allowedHosts=["shop.example", "b.example"])
    with pytest.raises(InvalidRequestError, match=r"allowedHosts must hold the host of taskUrl, new\.example"):
        update(manage, "mine", {"taskUrl": "https://new.example/x"})
    assert update(manage, "mine", {"taskUrl": "https://b.example/x"})[0].allowed_hosts == (
        "shop.example",
        "b.example",
    )


def test_a_token_is_renewed_on_request_and_the_old_one_is_void(manage):
    _, old = create(manage, productId="mine")
    after, new = update(manage, "mine", {"rotatePostbackToken": True})
    assert (is_authentic(after, new, a_postback()), is_authentic(after, old, a_postback())) == (True, False)


def test_a_product_that_changes_to_secret_mode_gets_a_token(manage):
    create(manage, productId="mine", postbackAuth={"mode": "open"})
    after, token = update(manage, "mine", {"postbackAuth": {"mode": "secret"}})
    assert is_authentic(after, token, a_postback())


def test_two_operators_do_not_overwrite_each_other(manage, mine):
    manage.products.rows["mine"] = mine.with_changes(revision=5)
    manage.products.get = lambda product_id: mine
    with pytest.raises(ChangedMeanwhileError):
        update(manage, "mine", {"name": "New"})


def test_each_change_writes_an_audit_line(manage):
    create(manage, productId="mine")
    update(manage, "mine", {"name": "New"})
    with pytest.raises(InvalidRequestError):
        update(manage, "mine", {"name": ""})
    created, updated = manage.audit.lines
    assert (created["action"], created["resource"], created["before"]) == ("product.created", "mine", {})
    assert (updated["action"], updated["before"], updated["after"]) == (
        "product.updated",
        {"name": "Shop"},
        {"name": "New"},
    )
