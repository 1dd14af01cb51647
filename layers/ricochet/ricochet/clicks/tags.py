"""Tags: what an app attaches to a click for its partners, declared here and nowhere else."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from ricochet.values.entity import Model, Shown

Tag = Annotated[str, StringConstraints(max_length=128)]


class Tags[Value: str = str](Model):
    """The tags of a click; conversions and notices carry them on, and each is a macro of the same name.

    `Value` is `Tag` where an app sends them. List this class before the one with the fields that precede the tags:
    pydantic starts with the fields of the last base class.
    """

    subid: Shown[Value | None] = None
    sub1: Shown[Value | None] = None
    sub2: Shown[Value | None] = None
    sub3: Shown[Value | None] = None
    sub4: Shown[Value | None] = None
    sub5: Shown[Value | None] = None
    prelanding: Shown[Value | None] = None
    landing: Shown[Value | None] = None
    px: Shown[Value | None] = None
    domain: Shown[Value | None] = None
    country: Shown[Value | None] = None
