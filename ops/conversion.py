"""`ops conversion`: the whole story of one conversion on one screen."""

from __future__ import annotations

from typing import Annotated

import typer

from ops import render
from ops.story import timeline
from ops.story.find import find_story
from ops.target import Json, stack_of


def conversion(
    ctx: typer.Context,
    some_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="our conversion id, the source's own or transaction id, a click or receipt id"
        ),
    ],
    *,
    days: Annotated[
        int, typer.Option(help="how many days back to search for a source's id that came with an event", min=0)
    ] = 3,
    as_json: Json = False,
) -> None:
    """Show everything about one conversion: click, postbacks, versions, money, deliveries and every attempt.

    For a click without a conversion, it shows the postbacks for this click and why they were refused.
    """
    story = find_story(stack_of(ctx), some_id, days)
    if as_json:
        render.show_json(timeline.to_json(story))
        return
    render.fields(timeline.summary(story))
    render.print_line("")
    lines = ((render.to_millisecond(event.at), event.kind, event.text) for event in timeline.events(story))
    render.table(("at (UTC)", "what", ""), lines, "nothing")
