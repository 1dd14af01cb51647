"""Several partitions of an index are one listing: everything once, in order, page by page."""

import random
from itertools import pairwise

import pytest

from ricochet.dynamodb.paging import encode_cursor
from ricochet.dynamodb.sharded_index import ShardedIndex
from ricochet.dynamodb.table import Table
from ricochet.dynamodb.wire import from_wire, to_wire
from ricochet.errors import InvalidCursorError

SHARDS = ["s#0", "s#1", "s#2"]


class DynamoDb:
    """One table's index; `Limit` counts what is read and not what the filter lets through, as on AWS."""

    def __init__(self, items):
        self.items = items
        self.queries = 0

    def query(self, *, ScanIndexForward, Limit, ExclusiveStartKey=None, FilterExpression=None, **query):  # noqa: N803
        self.queries += 1
        values = from_wire(query["ExpressionAttributeValues"])
        rows = [item for item in self.items if item["shard"] == values[":shard"]]
        rows.sort(key=lambda item: (item["at"], item["id"]), reverse=not ScanIndexForward)
        if ExclusiveStartKey:
            start = from_wire(ExclusiveStartKey)
            rows = rows[[{name: row[name] for name in start} for row in rows].index(start) + 1 :]
        read = rows[:Limit]
        found = [row for row in read if FilterExpression is None or row["kind"] == values[":kind"]]
        reply = {"Items": [to_wire(row) for row in found]}
        if len(read) == Limit:  # DynamoDB does not look whether anything follows
            reply["LastEvaluatedKey"] = to_wire({name: read[-1][name] for name in ("id", "shard", "at")})
        return reply


class Item(dict):
    from_item = classmethod(lambda cls, item: cls(item))


class Items(Table):
    entity = Item


def rows(number: int, seed: int = 1) -> list[dict[str, str]]:
    dice = random.Random(seed)
    return [
        {
            "id": f"id-{one:03d}",
            "shard": dice.choice(SHARDS),
            "at": f"{dice.randrange(number):04d}",
            "kind": dice.choice(["a", "a", "a", "b"]),
        }
        for one in range(number)
    ]


def index(items, **changes) -> ShardedIndex:
    names = {"shard": "shard", "order": "at", "table_key": ("id",)} | changes
    return ShardedIndex(Items(DynamoDb(items), "table"), "index", **names)


def all_pages(listing: ShardedIndex, limit: int, where=None):
    pages, cursor = [], None
    while True:
        page = listing.page(SHARDS, limit, cursor, where or {})
        pages.append(page.items)
        assert len(page.items) <= limit
        cursor = page.cursor
        if cursor is None:
            return pages


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 7, 50, 100])
@pytest.mark.parametrize("number", [0, 1, 50])
def test_pages_contain_everything_once_and_in_order(number, limit, newest_first):
    items = rows(number)
    shown = [item for page in all_pages(index(items, newest_first=newest_first), limit) for item in page]
    assert sorted(item["id"] for item in shown) == [item["id"] for item in items]
    times = [item["at"] for item in shown]
    assert times == sorted(times, reverse=newest_first)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("limit", [1, 3, 10])
def test_a_filter_loses_nothing_that_matches(seed, limit):
    items = rows(40, seed)
    shown = [item for page in all_pages(index(items), limit, {"kind": "b"}) for item in page]
    assert sorted(item["id"] for item in shown) == [item["id"] for item in items if item["kind"] == "b"]
    assert all(one["at"] <= other["at"] for one, other in pairwise(shown))


def test_a_page_is_as_full_as_possible():
    pages = all_pages(index(rows(50)), 20)
    assert [len(page) for page in pages][:2] == [20, 20]
    assert sum(map(len, pages)) == 50


def test_a_shard_shown_to_its_end_is_not_read_again():
    items = [{"id": "1", "shard": "s#0", "at": "0000", "kind": "a"}, *({**row, "shard": "s#1"} for row in rows(9))]
    listing = index(items)
    cursor = listing.page(SHARDS, 5, None, {}).cursor
    first = listing.table.client.queries
    listing.page(SHARDS, 5, cursor, {})
    assert (first, listing.table.client.queries - first) == (3, 1)


def test_a_cursor_is_valid_only_for_its_own_listing():
    listing = index(rows(9))
    cursor = listing.page(SHARDS, 2, None, {}).cursor
    for shards, where in ((SHARDS[:2], {}), (SHARDS, {"kind": "a"})):
        with pytest.raises(InvalidCursorError):
            listing.page(shards, 2, cursor, where)


@pytest.mark.parametrize(
    "starts", [{"t#0": {}}, {"s#0": "text"}, {"s#0": None}, {"s#0": {"id": 1.5}}, {"s#0": {}, "x": {}}]
)
def test_a_forged_cursor_is_refused(starts):
    listing = index(rows(9))
    with pytest.raises(InvalidCursorError):
        listing.page(SHARDS, 2, encode_cursor("|".join(["index", *SHARDS]), starts), {})
    assert listing.table.client.queries == 0
