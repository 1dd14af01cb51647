"""Queries, scans, pages, counts and conditional writes of a table."""

import pytest
from botocore.exceptions import ClientError

from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.errors import InvalidCursorError
from ricochet.values.entity import Entity


class Row(Entity):
    id: str
    kind: str = "a"


class Rows(Table[Row]):
    entity = Row


class DynamoDb:
    """Replies with two rows each until there are no more; `error` is raised by the next call."""

    def __init__(self, *ids, error=None):
        self.rows, self.error, self.calls = [Row(id=one) for one in ids], error, []

    def query(self, **parameters):
        return self._reply("query", parameters)

    def scan(self, **parameters):
        return self._reply("scan", parameters)

    def put_item(self, **parameters):
        return self._reply("put_item", parameters)

    def update_item(self, **parameters):
        return self._reply("update_item", parameters)

    def _reply(self, operation, parameters):
        self.calls.append((operation, parameters))
        if self.error:
            raise ClientError({"Error": {"Code": self.error}}, operation)
        start = from_wire(parameters.get("ExclusiveStartKey", {})).get("id", "")
        left = [row for row in self.rows if row.id > start]
        found = left[: parameters.get("Limit", 2)]
        reply = {"Items": [to_wire(row.to_item()) for row in found], "Count": len(found)}
        return reply | ({"LastEvaluatedKey": to_wire({"id": found[-1].id})} if len(found) < len(left) else {})


def rows_of(*ids, error=None) -> Rows:
    return Rows(DynamoDb(*ids, error=error), "rows")


def ids_of(rows) -> list[str]:
    return [row.id for row in rows]


def test_a_query_sends_its_condition_and_values():
    rows = rows_of()
    list(rows.query("partnerId = :partner AND dueAt <= :now", index="byDue", partner="p", now="n", page_size=7))
    expected = {
        "TableName": "rows",
        "IndexName": "byDue",
        "KeyConditionExpression": "partnerId = :partner AND dueAt <= :now",
        "ExpressionAttributeValues": {":partner": {"S": "p"}, ":now": {"S": "n"}},
        "ScanIndexForward": True,
        "Limit": 7,
    }
    assert rows.client.calls == [("query", expected)]


def test_a_reserved_name_is_escaped():
    rows = rows_of()
    list(rows.query("userId = :user", where="#status = :status", newest_first=True, consistent=True, user=1, status=2))
    ((_, sent),) = rows.client.calls
    assert (sent["FilterExpression"], sent["ExpressionAttributeNames"]) == ("#status = :status", {"#status": "status"})
    assert (sent["ScanIndexForward"], sent["ConsistentRead"]) == (False, True)


def test_a_scan_has_no_order():
    rows = rows_of("1")
    assert list(rows.scan(index="byId", where="kind = :kind", attributes="id", kind="a").items()) == [
        {"id": "1", "kind": "a"}
    ]
    expected = {
        "TableName": "rows",
        "IndexName": "byId",
        "FilterExpression": "kind = :kind",
        "ProjectionExpression": "id",
        "ExpressionAttributeValues": {":kind": {"S": "a"}},
    }
    assert rows.client.calls == [("scan", expected)]


def test_pages_are_read_only_when_they_are_needed():
    rows = rows_of(*"12345")
    found = iter(rows.query("kind = :kind", kind="a"))
    assert not rows.client.calls
    assert ids_of([next(found), next(found)]) == ["1", "2"]
    assert len(rows.client.calls) == 1
    assert ids_of(found) == ["3", "4", "5"]
    assert len(rows.client.calls) == 3


def test_rows_are_counted_without_being_read():
    rows = rows_of(*"12345")
    assert rows.query("kind = :kind", kind="a").count() == 5
    assert {sent["Select"] for _, sent in rows.client.calls} == {"COUNT"}


def test_a_page_ends_with_a_cursor_for_the_next_one():
    rows = rows_of(*"12345")
    query = rows.query("kind = :kind", kind="a")
    pages, cursor = [], None
    while True:
        page = query.page("kind:a", 2, cursor)
        pages.append(ids_of(page.items))
        cursor = page.cursor
        if cursor is None:
            break
    assert pages == [["1", "2"], ["3", "4"], ["5"]]
    assert len(rows.client.calls) == 3


def test_a_cursor_of_another_listing_is_refused_before_anything_is_read():
    rows = rows_of(*"123")
    query = rows.query("kind = :kind", kind="a")
    cursor = query.page("kind:a", 2, None).cursor
    with pytest.raises(InvalidCursorError):
        query.page("kind:b", 2, cursor)
    assert len(rows.client.calls) == 1


@pytest.mark.parametrize(("key", "raised"), [({"id": "x"}, InvalidCursorError), (None, ClientError)])
def test_a_key_at_which_dynamodb_cannot_start_is_an_invalid_cursor(key, raised):
    query = rows_of(error="ValidationException").query("kind = :kind", kind="a")
    with pytest.raises(raised):
        list(query.after(key))


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "TransactionConflictException"])
def test_a_refused_put_returns_false(code):
    assert rows_of()._put_if(Row(id="1"), "attribute_not_exists(id)") is True
    assert rows_of(error=code)._put_if(Row(id="1"), "attribute_not_exists(id)") is False


def test_a_refused_update_returns_false():
    def update(rows):
        return rows._update_if({"id": "1"}, "SET #state = :state", "kind = :kind", state="b", kind="a")

    rows = rows_of()
    assert update(rows) is True
    expected = {
        "TableName": "rows",
        "Key": {"id": {"S": "1"}},
        "UpdateExpression": "SET #state = :state",
        "ConditionExpression": "kind = :kind",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":state": {"S": "b"}, ":kind": {"S": "a"}},
    }
    assert rows.client.calls == [("update_item", expected)]
    assert update(rows_of(error="ConditionalCheckFailedException")) is False
    with pytest.raises(ClientError):
        update(rows_of(error="TransactionConflictException"))
