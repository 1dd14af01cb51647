"""Parses a caller's input into a model, or raises an error that names each invalid field."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError

from ricochet.errors import InvalidBodyError, InvalidRequestError
from ricochet.values import times
from ricochet.values.entity import Model
from ricochet.values.times import Moment

MAX_BODY_BYTES = 256 * 1024
"""The longest body that any caller may send."""


def validate[M: BaseModel](fields: Mapping[str, Any], model: type[M]) -> M:
    """Raise InvalidRequestError with one detail, `field: what is wrong`, for each field that does not fit."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        details = [
            f"{_path(item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_url=False)
        ]
        raise InvalidRequestError(details[0], details) from error


class QueryInput(Model):
    """What a caller may ask for in a URL's query; empty parameters count as missing."""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        return validate({name: value for name, value in query.items() if value}, cls)


def as_api_names(patch: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return `patch` with the API's names, so that it can be applied to what is stored.

    For a field that is given by both of its names, the API's name counts. Python's names are accepted too.
    """
    aliases = {name: field.alias or name for name, field in model.model_fields.items()}
    pythons = {aliases[name]: value for name, value in patch.items() if name in aliases}
    return pythons | {name: value for name, value in patch.items() if name not in aliases}


def unknown_fields(fields: Iterable[str], model: type[BaseModel]) -> dict[str, str]:
    """Return each field that `model` does not know, with a hint at the most similar name that it does know."""
    given, known = set(fields), [field.alias or name for name, field in model.model_fields.items()]
    own = {name for name, field in model.model_fields.items() if field.alias not in given}
    unknown = {name: difflib.get_close_matches(name, known, n=1) for name in sorted(given - own - set(known))}
    return {name: f"; did you mean {near[0]}?" if near else "" for name, near in unknown.items()}


def ignored_fields(fields: Iterable[str], model: type[BaseModel]) -> list[str]:
    """Return a warning for each field that `model` does not know."""
    return [f"{name} is not a field and was ignored{hint}" for name, hint in unknown_fields(fields, model).items()]


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "body"


def parse_json_object(text: str) -> dict[str, Any]:
    """Return a JSON object with exact numbers; raise InvalidBodyError for anything else.

    NaN and Infinity, which are not JSON, become texts, which a field that needs a number refuses by its name.
    """
    try:
        value = json.loads(text, parse_float=_exact, parse_int=_exact, parse_constant=str)
        json.dumps(value, default=str, ensure_ascii=False).encode()  # half a character (\\ud800) can't be stored
    except (ValueError, RecursionError) as error:
        raise InvalidBodyError("the body is not valid JSON") from error
    if not isinstance(value, dict):
        raise InvalidBodyError("the body must be a JSON object")
    return value


def _exact(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation as error:
        raise ValueError(f"{digits[:32]} is out of range") from error


def _real_day(text: str) -> str:
    date.fromisoformat(text)
    return text


def _cidr(text: str) -> str:
    return str(ip_network(text))


Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]

RowId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


Cidr = Annotated[str, AfterValidator(_cidr)]

Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_real_day)]

MomentInput = Annotated[Moment, AfterValidator(times.read)]

Reason = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
