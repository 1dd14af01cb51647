"""Tags: what an app attaches to a click for its partners, declared here and nowhere else."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from ricochet.values.entity import Entity

Tag = Annotated[str, StringConstraints(max_length=128)]


class Tags[Value: str = str](Entity):
    """The tags of a click; conversions and notices carry them on, and each is a macro of the same name.

    `Value` is `Tag` where an app sends them. List this class before the one with the fields that precede the tags:
    pydantic starts with the fields of the last base class.
    """

    subid: Value | None = None
    sub1: Value | None = None
    sub2: Value | None = None
    sub3: Value | None = None
    sub4: Value | None = None
    sub5: Value | None = None
    prelanding: Value | None = None
    landing: Value | None = None
    px: Value | None = None
    domain: Value | None = None
    country: Value | None = None
