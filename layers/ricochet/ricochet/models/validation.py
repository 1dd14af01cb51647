"""From what a caller sent to a model, or to an error that names each field that is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ricochet.errors import InvalidRequestError


def validate[M: BaseModel](fields: Mapping[str, Any], model: type[M]) -> M:
    """InvalidRequestError with one detail, `field: what is wrong`, for each field that does not fit."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        details = [
            f"{_path(item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_url=False)
        ]
        raise InvalidRequestError(details[0], details) from error


def as_api_names(patch: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """`patch` by the API's names, by which it can be said over what is stored; for a field given both ways those count.

    `validate` takes Python's names too, but none that stands beside the API's.
    """
    aliases = {name: field.alias or name for name, field in model.model_fields.items()}
    pythons = {aliases[name]: value for name, value in patch.items() if name in aliases}
    return pythons | {name: value for name, value in patch.items() if name not in aliases}


def ignored_fields(fields: Iterable[str], model: type[BaseModel]) -> list[str]:
    """A warning for each field that `model` does not know, naming the nearest that it does."""
    given, known = set(fields), [field.alias or name for name, field in model.model_fields.items()]
    own = {name for name, field in model.model_fields.items() if field.alias not in given}
    warnings = []
    for name in sorted(given):
        if name not in known and name not in own:
            near = difflib.get_close_matches(name, known, n=1)
            warnings.append(f"{name} is not a field and was ignored" + (f"; did you mean {near[0]}?" if near else ""))
    return warnings


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "body"
