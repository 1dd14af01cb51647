"""Users set their referrer: once, not themselves, and not a user whom they referred."""

import pytest

from ricochet.clicks.set_referrer import ReferrerRequest, SetReferrer
from ricochet.clicks.user import User
from ricochet.errors import (
    InvalidRequestError,
    ReferrerAlreadySetError,
    ReferrerCycleError,
    ReferrerIsSelfError,
    ReferrerNotFoundError,
)
from ricochet.values import ids
from ricochet.values.inputs import validate
from tests.unit.builders import NOON


class UsersInMemory:
    def __init__(self):
        self.users: dict[str, User] = {}

    def get(self, user_id):
        return self.users.get(user_id)

    def register_code(self, user_id, code):
        known = self.users.get(user_id) or User(user_id=user_id)
        self.users[user_id] = known.with_changes(referral_code=code)
        return self.users[user_id]

    def find_by_code(self, code):
        return next((user.user_id for user in self.users.values() if user.referral_code == code), None)

    def set_referrer(self, user_id, referrer_id, moment):
        known, referrer = (self.users.get(one) or User(user_id=one) for one in (user_id, referrer_id))
        if known.referrer_id:
            raise ReferrerAlreadySetError("set")
        if referrer.referrer_id == user_id:
            raise ReferrerCycleError("cycle")
        self.users[user_id] = known.with_changes(referrer_id=referrer_id, referrer_set_at=moment)


@pytest.fixture
def users():
    return UsersInMemory()


@pytest.fixture
def set_referrer(users):
    return SetReferrer(users, clock=lambda: NOON)


def asks(**fields) -> ReferrerRequest:
    return validate(fields, ReferrerRequest)


def test_a_code_is_found_however_it_is_typed(set_referrer, users):
    code = set_referrer.own_code("owner").referral_code
    assert set_referrer("user", asks(referralCode=f" {code.lower()} ")).to_json() == {"referrerId": "owner"}
    assert (users.get("user").referrer_id, users.get("user").referrer_set_at) == ("owner", NOON)


def test_the_referrer_may_be_given_by_user_id(set_referrer):
    assert set_referrer("user", asks(referrerId="owner")).to_json() == {"referrerId": "owner"}


def test_a_users_own_code_is_stable_and_comes_with_the_referrer(set_referrer):
    first = set_referrer.own_code("user").to_json()
    assert first == {"referralCode": ids.referral_code("user"), "referrerId": None}
    set_referrer("user", asks(referrerId="owner"))
    assert set_referrer.own_code("user").to_json() == first | {"referrerId": "owner"}


@pytest.mark.parametrize("request_", [asks(referrerId="user"), asks(referralCode=ids.referral_code("user").lower())])
def test_a_user_cannot_refer_themselves(set_referrer, users, request_):
    with pytest.raises(ReferrerIsSelfError):
        set_referrer("user", request_)
    assert users.users == {}


def test_setting_the_same_referrer_again_is_accepted(set_referrer):
    for _ in range(2):
        assert set_referrer("user", asks(referrerId="owner")).to_json() == {"referrerId": "owner"}


def test_another_referrer_later_is_refused(set_referrer, users):
    set_referrer("user", asks(referrerId="owner"))
    with pytest.raises(ReferrerAlreadySetError):
        set_referrer("user", asks(referrerId="other"))
    assert users.get("user").referrer_id == "owner"


def test_two_users_cannot_refer_each_other(set_referrer):
    set_referrer("user", asks(referrerId="owner"))
    with pytest.raises(ReferrerCycleError):
        set_referrer("owner", asks(referrerId="user"))


def test_an_unknown_code_is_not_found(set_referrer):
    with pytest.raises(ReferrerNotFoundError):
        set_referrer("user", asks(referralCode="NOBODYSCODE0"))


@pytest.mark.parametrize("fields", [{}, {"referralCode": None}, {"referralCode": "A", "referrerId": "b"}])
def test_exactly_one_of_code_and_id_must_be_given(set_referrer, fields):
    with pytest.raises(InvalidRequestError, match="either referralCode or referrerId"):
        set_referrer("user", asks(**fields))


@pytest.mark.parametrize("value", ["", "   ", "x" * 129, 5, ["a"]])
@pytest.mark.parametrize("field", ["referralCode", "referrerId"])
def test_a_code_or_id_must_be_a_short_text(field, value):
    with pytest.raises(InvalidRequestError, match=f"{field}: "):
        asks(**{field: value})
