"""Errors that name each invalid field, and warnings about unknown fields."""

from typing import Annotated

import pytest
from pydantic import Field, field_validator

from ricochet.errors import InvalidRequestError
from ricochet.values.entity import Entity
from ricochet.values.inputs import as_api_names, ignored_fields, validate
from ricochet.values.money import Price


class Inner(Entity):
    offer_ids: tuple[str, ...] = ()


class Shape(Entity):
    earn_up_to: Price
    name: Annotated[str, Field(max_length=3)]
    inner: Inner = Inner()

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str) -> str:
        if name != name.lower():
            raise ValueError("must be small")
        return name


def details(fields) -> list[str]:
    with pytest.raises(InvalidRequestError) as refused:
        validate(fields, Shape)
    assert refused.value.message == refused.value.details[0]
    return refused.value.details


def test_valid_fields_become_a_model():
    assert validate({"earnUpTo": "1.50", "name": "abc"}, Shape) == Shape(earn_up_to="1.5", name="abc")


def test_every_wrong_field_is_named_as_the_caller_spelled_it():
    wrong = details({"earnUpTo": "-1", "name": "abcd", "inner": {"offerIds": ["a", 2]}})
    assert [detail.partition(": ")[0] for detail in wrong] == ["earnUpTo", "name", "inner.offerIds.1"]
    assert wrong[0] == "earnUpTo: amount must not be negative"


def test_a_detail_contains_only_the_problem():
    assert details({"earnUpTo": "1", "name": "ABC"}) == ["name: must be small"]


@pytest.mark.parametrize("missing", ["earnUpTo", "name"])
def test_a_missing_field_is_named(missing):
    fields = {"earnUpTo": "1", "name": "abc"}
    del fields[missing]
    (detail,) = details(fields)
    assert detail.startswith(f"{missing}: ")
    assert "required" in detail


def test_an_unknown_field_causes_a_warning_that_names_the_nearest_one():
    assert ignored_fields(["name", "earnUpto", "zzz"], Shape) == [
        "earnUpto is not a field and was ignored; did you mean earnUpTo?",
        "zzz is not a field and was ignored",
    ]


def test_a_field_in_another_spelling_counts_or_causes_a_warning():
    fields = {"earnUpTo": "1", "name": "abc", "earn_up_to": "2"}
    assert validate(fields, Shape).earn_up_to == 2 or ignored_fields(fields, Shape)


@pytest.mark.parametrize("patch", [{"earn_up_to": "2"}, {"earnUpTo": "2"}, {"earn_up_to": "3", "earnUpTo": "2"}])
def test_a_patch_counts_in_either_spelling(patch):
    before = Shape(earn_up_to="1", name="abc")
    after = validate(before.to_item() | as_api_names(patch, Shape), Shape)
    assert after == before.with_changes(earn_up_to=2)
    assert len(ignored_fields(patch, Shape)) == len(patch) - 1


def test_an_unknown_field_keeps_its_name():
    assert as_api_names({"name": "x", "earnUpto": 1}, Shape) == {"name": "x", "earnUpto": 1}
