"""`ops conversion`: the whole story of one conversion on one screen."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import render, story
from ops.search import story_of
from ops.target import Json, stack_of


def conversion(
    ctx: typer.Context,
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="ours, its source's own (transaction too), a click's or a receipt's")
    ],
    *,
    days: Annotated[int, typer.Option(help="how far back to look for what has another id of its source's", min=0)] = 3,
    as_json: Json = False,
) -> None:
    """What happened around one conversion: click, postbacks, versions, money, deliveries and every attempt.

    Given a click that led to none, it shows what came in for it and why it was refused.
    """
    found = story_of(stack_of(ctx), wanted, days)
    if as_json:
        render.show_json(story.to_json(found))
        return
    render.fields(story.headline(found))
    render.say("")
    lines = ((render.moment(one.at), one.what, one.text) for one in story.happenings(found))
    render.table(("at (UTC)", "what", ""), lines, "nothing")
