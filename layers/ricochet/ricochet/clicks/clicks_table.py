"""Clicks; the ledger changes them with its transaction."""

from __future__ import annotations

from ricochet.clicks.click import Click
from ricochet.dynamodb.expressions import put, update
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import to_entity
from ricochet.values.times import Moment


class ClicksTable(Table[Click]):
    entity = Click

    def get(self, click_id: str) -> Click | None:
        return self._get({"clickId": click_id})

    def create(self, click: Click) -> None:
        self.client.put_item(**put(self.name, click, "attribute_not_exists(clickId)"))

    def count_visit(self, click_id: str, moment: Moment) -> Click | None:
        """Return the click with one more visit; None if there is no such click."""
        visit = update(
            self.name,
            {"clickId": click_id},
            "ADD visits :one SET firstVisitAt = if_not_exists(firstVisitAt, :now)",
            "attribute_exists(clickId)",
            one=1,
            now=moment,
        )
        click = self._try_update(visit | {"ReturnValues": "ALL_NEW"})
        return None if click is None else to_entity(Click, click)
