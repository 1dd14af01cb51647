"""How an advertiser's postback is authenticated."""

import pytest

from ricochet.clicks.product import Approval, PostbackAuth, hash_token
from ricochet.intake.advertiser_authentication import is_authentic
from tests.unit.builders import a_postback, a_product

BY_IP = PostbackAuth(mode="ip", allowed_cidrs=("192.0.2.0/24", "2001:db8::/32", "198.51.100.7"))


def accepts(product, token, address):
    return is_authentic(product, token, a_postback(source_ip=address))


@pytest.mark.parametrize(("token", "accepted"), [("pbt_right", True), ("pbt_wrong", False), ("", False), (None, False)])
def test_only_the_right_token_is_accepted(token, accepted):
    assert accepts(a_product(), token, "192.0.2.7") is accepted


@pytest.mark.parametrize("token", ["", None, "pbt_right", hash_token("pbt_right")])
def test_a_product_without_a_token_accepts_no_token(token):
    assert not accepts(a_product(postback_token_hash=None), token, "192.0.2.7")


def test_the_hash_of_a_token_is_not_accepted_as_a_token():
    product = a_product()
    assert product.postback_token_hash != "pbt_right"
    assert not accepts(product, product.postback_token_hash, "192.0.2.7")


@pytest.mark.parametrize(
    ("address", "accepted"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("198.51.100.7", True),
        ("198.51.100.8", False),
    ],
)
def test_an_address_must_be_in_one_of_the_blocks(address, accepted):
    product = a_product(postback_auth=BY_IP)
    assert accepts(product, None, address) is accepted
    assert accepts(product, "pbt_right", address) is accepted


def test_an_open_product_accepts_anyone():
    assert accepts(a_product(postback_auth=PostbackAuth(mode="open")), None, "203.0.113.1")


def test_a_token_of_invalid_unicode_is_refused_without_an_error():
    assert not accepts(a_product(), "\ud800", "192.0.2.7")


@pytest.mark.parametrize(
    ("mode", "approval", "effective"),
    [
        ("secret", None, Approval.AUTO),
        ("ip", None, Approval.AUTO),
        ("open", None, Approval.MANUAL),
        ("open", Approval.AUTO, Approval.AUTO),
        ("secret", Approval.MANUAL, Approval.MANUAL),
    ],
)
def test_only_an_open_product_needs_a_person_by_default(mode, approval, effective):
    assert a_product(postback_auth=PostbackAuth(mode=mode), approval=approval).effective_approval is effective
