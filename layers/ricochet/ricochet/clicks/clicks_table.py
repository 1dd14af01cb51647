"""Clicks: written once, visited, and led to something by the ledger's transaction."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ricochet.clicks.click import Click
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import condition_failed, from_wire, to_wire


class ClicksTable(Table[Click]):
    entity = Click

    def get(self, click_id: str) -> Click | None:
        return self._get({"clickId": click_id})

    def create(self, click: Click) -> None:
        self.client.put_item(
            TableName=self.name, Item=self.wire(click), ConditionExpression="attribute_not_exists(clickId)"
        )

    def count_visit(self, click_id: str, moment: str) -> Click | None:
        """The click with one more visit; None if there is no such click."""
        try:
            reply = self.client.update_item(
                TableName=self.name,
                Key=to_wire({"clickId": click_id}),
                UpdateExpression="ADD visits :one SET firstVisitAt = if_not_exists(firstVisitAt, :now)",
                ConditionExpression="attribute_exists(clickId)",
                ExpressionAttributeValues=to_wire({":one": 1, ":now": moment}),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if condition_failed(error):
                return None
            raise
        return Click.from_item(from_wire(reply["Attributes"]))
