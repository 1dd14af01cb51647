"""Read a click for its user, and count its visits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ricochet.clicks import task_urls
from ricochet.clicks.click import Click
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.errors import ClickNotFoundError, InvalidClickIdError
from ricochet.values import ids, times


class ReadClick:
    def __init__(self, clicks: ClicksTable, clock: Callable[[], str] = times.now) -> None:
        self._clicks = clicks
        self._clock = clock

    def own(self, user_id: str, click_id: str, public_base_url: str) -> dict[str, Any]:
        """Return the click log. Raise ClickNotFoundError also for another user's click: nobody may learn of it."""
        click = self._clicks.get(_parsed(click_id))
        if click is None or click.user_id != user_id:
            raise _not_found()
        postback_url = task_urls.postback_url(public_base_url, click.click_id)
        return click.to_app(self._clock(), task_urls.redirect_url(click.task_url, click.click_id, postback_url))

    def visited(self, click_id: str) -> dict[str, str]:
        """Count a visit and return the click's `clickId` and `status`."""
        moment = self._clock()
        click: Click | None = self._clicks.count_visit(_parsed(click_id), moment)
        if click is None:
            raise _not_found()
        return {"clickId": click.click_id, "status": click.shown_status(moment)}


def _parsed(click_id: str) -> str:
    try:
        return ids.parse_click_id(click_id)
    except InvalidClickIdError as error:
        raise _not_found() from error


def _not_found() -> ClickNotFoundError:
    return ClickNotFoundError("there is no such click")
