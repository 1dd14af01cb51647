"""Read a click for its user, and count its visits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ricochet.clicks import task_urls
from ricochet.clicks.click import Click, ClickView
from ricochet.clicks.clicks_table import ClicksTable
from ricochet.errors import ClickNotFoundError, InvalidClickIdError
from ricochet.values import ids, times
from ricochet.values.entity import View
from ricochet.values.statuses import ClickStatus
from ricochet.values.times import Moment


class Visit(View):
    click_id: str
    status: ClickStatus


@dataclass(frozen=True)
class ReadClick:
    clicks: ClicksTable
    clock: Callable[[], Moment] = times.now

    def own(self, user_id: str, click_id: str, public_base_url: str) -> ClickView:
        """Return the click. Raise ClickNotFoundError also for another user's click, which must stay unknown."""
        click = self.clicks.get(_parsed(click_id))
        if click is None or click.user_id != user_id:
            raise _not_found()
        postback_url = task_urls.postback_url(public_base_url, click.click_id)
        redirect_url = task_urls.redirect_url(click.task_url, click.click_id, postback_url)
        return ClickView.of(click, self.clock(), redirect_url)

    def visited(self, click_id: str) -> Visit:
        """Count a visit of the click. Raise ClickNotFoundError if it does not exist."""
        moment = self.clock()
        click: Click | None = self.clicks.count_visit(_parsed(click_id), moment)
        if click is None:
            raise _not_found()
        return Visit(click_id=click.click_id, status=click.status_at(moment))


def _parsed(click_id: str) -> str:
    try:
        return ids.parse_click_id(click_id)
    except InvalidClickIdError as error:
        raise _not_found() from error


def _not_found() -> ClickNotFoundError:
    return ClickNotFoundError("there is no such click")
