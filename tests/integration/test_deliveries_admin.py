"""Operators see who was told what, and have told anew whoever was not."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest

from local.client import Client
from ricochet.delivery.deliveries_table import DeliveriesTable, Listing, Position
from ricochet.delivery.delivery import Delivery, DeliveryState, new_delivery
from ricochet.dynamodb.wire import to_wire
from ricochet.ledger.notice import Notice
from ricochet.values import times
from ricochet.values.statuses import Status
from tests.integration.conftest import eventually
from tests.integration.telling import DistributionResult, path

PATH = "/api/v1/admin/deliveries"
START = "2026-11-01T00:00:00.000Z"
RETRYING, DELIVERED, SUPERSEDED, PARKED = DeliveryState
numbers = itertools.count()


@pytest.fixture
def release(stack):
    def run() -> None:
        reply = stack.aws.lambda_.invoke(FunctionName=stack.function("ReleaseDueDeliveries"), Payload=b"{}")
        assert "FunctionError" not in reply

    return run


@pytest.fixture
def recorded(stack):
    """Writes rows as the engine would have left them, for a partner that is there in name only."""
    partner_id = f"in-name-only-{next(numbers)}"

    def write(number: int, minute: int = 0, state: DeliveryState = DELIVERED, **told: Any) -> list[Delivery]:
        moment = times.plus(START, minutes=minute)
        rows = []
        for _ in range(number):
            conversion_id = f"CONV-{partner_id}-{next(numbers)}"
            notice = Notice(
                **{"status": Status.APPROVED, "payout": "2.50", "currency": "USD"} | told,
                original_status="sale",
                conversion_id=conversion_id,
                timestamp=moment,
            )
            # due in a hundred years, so that nobody tries to send it
            due_at = times.plus(moment, days=36500) if state is RETRYING else None
            rows.append(new_delivery(conversion_id, 1, partner_id, notice, moment, state=state, due_at=due_at))
            stack.aws.dynamodb.put_item(TableName=stack.table("Deliveries"), Item=to_wire(rows[-1].to_item()))
        return rows

    write.partner_id = partner_id
    return write


def pages(client: Client, where: str, limit: int, **query: str) -> list[list[dict[str, Any]]]:
    """All pages of a listing."""
    found, cursor = [], {}
    while True:
        data = client.get(where, limit=limit, **query, **cursor).data
        found.append(data["items"])
        if data["nextCursor"] is None:
            return found
        cursor = {"cursor": data["nextCursor"]}


def keys(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["createdAt"], row["conversionId"]) for row in rows]


def one(row: Delivery) -> str:
    return f"{PATH}/{row.conversion_id}/{row.version}/{row.partner_id}"


class TestLooking:
    def test_users_are_kept_out(self, person):
        for method, where in [
            ("GET", ""),
            ("GET", "/undelivered"),
            ("GET", "/CONV-1/1/p"),
            ("POST", "/CONV-1/1/p/replay"),
            ("POST", "/replay"),
            ("POST", "/redrive"),
        ]:
            answer = person.app.call(method, PATH + where)
            assert (answer.status, answer.code) == (403, "FORBIDDEN")

    def test_all_of_a_conversion_newest_version_first(self, told, admin):
        for _ in range(2):
            told.partner(path("ok"))
        told.convert("Lead")
        eventually(lambda: len(told.rows()) == 2, "the Lead")
        told.convert("Purchase")
        rows = eventually(lambda: (found := told.rows()) and len(found) == 4 and found, "the Purchase")
        listed = pages(admin, PATH, 3, conversionId=rows[0].conversion_id)
        assert [len(page) for page in listed] == [3, 1]
        shown = [(row["version"], row["partnerId"]) for page in listed for row in page]
        assert shown == sorted(((row.version, row.partner_id) for row in rows), reverse=True)

    def test_one_with_its_attempts(self, told, admin):
        told.partner(path("flaky"))
        told.convert()
        row = told.row(DELIVERED)
        shown = admin.get(one(row)).data
        assert [attempt["statusCode"] for attempt in shown["attempts"]] == [500, 500, 200]
        assert (shown["deliveryId"], shown["notice"]["clickId"]) == (row.delivery_id, told.click_id)
        assert "attempts" not in admin.get(PATH, conversionId=row.conversion_id).data["items"][0]
        assert {"ttl", "partnerShard", "stateShard", "leaseUntil"}.isdisjoint(shown)

    @pytest.mark.parametrize("where", ["CONV-1/1/p", "CONV-1/0/p", "CONV-1/x/p", "CONV-1/9999999/p"])
    def test_what_is_not_there_is_not_found(self, admin, where):
        answer = admin.get(f"{PATH}/{where}")
        assert (answer.status, answer.code) == (404, "DELIVERY_NOT_FOUND")

    @pytest.mark.parametrize("limit", [1, 7, 20, 100])
    def test_all_of_a_partner_page_by_page_with_no_gap_and_no_repeat(self, recorded, admin, limit):
        """Many have the same moment, since one conversion is told to many at once."""
        rows = [row for minute in (3, 1, 2) for row in recorded(13, minute)] + recorded(2, 5)
        listed = pages(admin, PATH, limit, partnerId=recorded.partner_id)
        found = [key for page in listed for key in keys(page)]
        assert found == sorted(((row.created_at, row.conversion_id) for row in rows), reverse=True)
        assert all(len(page) == limit for page in listed[:-1])

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_a_walk_goes_on_after_any_position(self, recorded, stack, newest_first):
        rows = [row for minute in (2, 1) for row in recorded(6, minute)]
        table = DeliveriesTable(stack.aws.dynamodb, stack.table("Deliveries"))
        listing = Listing(recorded.partner_id)
        expected = sorted(map(Position.of, rows), reverse=newest_first)
        for number, after in enumerate([None, *expected]):
            found = table.walk(listing, after, newest_first=newest_first, read_at_once=1)
            assert [Position.of(row) for row in found] == expected[number:]

    def test_of_a_partner_in_a_time(self, recorded, admin):
        for minute in range(5):
            recorded(3, minute)
        span = {"from": "2026-11-01T00:01:00Z", "to": "2026-11-01T02:03:00+02:00"}
        listed = pages(admin, PATH, 4, partnerId=recorded.partner_id, **span)
        minutes = [row["createdAt"][14:16] for page in listed for row in page]
        assert minutes == ["03"] * 3 + ["02"] * 3 + ["01"] * 3

    @pytest.mark.parametrize("state", DeliveryState)
    def test_of_a_partner_in_a_state(self, recorded, admin, state):
        for minute, other in enumerate(DeliveryState):
            recorded(4, minute, other)
        listed = pages(admin, PATH, 3, partnerId=recorded.partner_id, state=state)
        assert [row["state"] for page in listed for row in page] == [state] * 4

    @pytest.mark.parametrize("state", [RETRYING, PARKED])
    def test_of_all_partners_in_an_open_state_newest_first(self, recorded, admin, state):
        rows = recorded(9, 1, state) + recorded(9, 2, state)
        recorded(3, 3, DELIVERED)
        found = [key for page in pages(admin, PATH, 5, state=state) for key in keys(page)]
        assert {(row.created_at, row.conversion_id) for row in rows} <= set(found)
        assert found == sorted(found, reverse=True)
        assert len(found) == len(set(found))

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ({}, "name a conversionId, a partnerId, or a state: one of retrying, parked"),
            ({"state": "delivered"}, "one of retrying, parked"),
            ({"state": "superseded"}, "one of retrying, parked"),
            ({"state": "lost"}, "state"),
            ({"conversionId": "CONV-1", "partnerId": "p"}, "conversionId stands alone"),
            ({"partnerId": "p", "from": "yesterday"}, "from: must be a time"),
            ({"partnerId": "p", "limit": "0"}, "limit"),
        ],
    )
    def test_a_listing_that_would_be_everything_or_nothing_is_refused(self, admin, query, named):
        answer = admin.get(PATH, **query)
        assert answer.status == 400
        assert named in answer.body["message"]

    def test_a_cursor_is_good_for_its_own_listing_only_and_as_it_is(self, recorded, admin):
        recorded(5)
        mine = {"partnerId": recorded.partner_id}
        cursor = admin.get(PATH, limit=2, **mine).data["nextCursor"]
        key, seal = json.loads(base64.urlsafe_b64decode(cursor + "==="))
        bent = base64.urlsafe_b64encode(json.dumps([key | {"conversion_id": "CONV-0"}, seal]).encode()).decode()
        for query in (
            {"partnerId": "another", "cursor": cursor},
            mine | {"state": "parked", "cursor": cursor},
            mine | {"from": START, "cursor": cursor},
            mine | {"cursor": bent.rstrip("=")},
            mine | {"cursor": "x"},
        ):
            answer = admin.get(PATH, **query)
            assert (answer.status, answer.code) == (400, "INVALID_CURSOR")

    def test_what_was_not_delivered_by_partner_and_currency(self, recorded, admin):
        recorded(2, 1, RETRYING)
        recorded(1, 2, PARKED, payout="0.1")
        recorded(1, 3, PARKED, payout="7", currency="EUR")
        recorded(1, 4, PARKED, payout="9", status=Status.PENDING)
        recorded(5, 0, DELIVERED)
        data = admin.get(f"{PATH}/undelivered").data
        assert data["nextCursor"] is None
        mine = [item for item in data["items"] if item.pop("partnerId") == recorded.partner_id]
        since = "2026-11-01T00:01:00.000Z"
        assert mine == [
            {
                "currency": "EUR",
                "value": 7,
                "count": 1,
                "retrying": 0,
                "parked": 1,
                "oldest": times.plus(START, minutes=3),
            },
            {"currency": "USD", "value": 5.1, "count": 4, "retrying": 2, "parked": 2, "oldest": since},
        ]


class TestTellingAnew:
    @pytest.fixture
    def parked(self, told, partners):
        """So many purchases of a partner that refused them and would take them by now; and where it is told."""

        def make(number: int) -> tuple[str, list[Delivery]]:
            where = path("as-told")
            told.partner(where)
            partners.answers[where] = 404
            told.convert_anew(number)
            rows = eventually(
                lambda: (found := in_state(told, PARKED)) and len(found) == number and found, "the parking"
            )
            partners.answers[where] = 200
            return where, rows

        return make

    def test_one(self, parked, told, partners, admin, release):
        where, (row,) = parked(1)
        answer = admin.call("POST", f"{one(row)}/replay")
        assert (answer.status, answer.data["state"]) == (200, "retrying")
        again = admin.call("POST", f"{one(row)}/replay")
        assert (again.status, again.code) == (409, "DELIVERY_UNDER_WAY")
        release()
        (after,) = eventually(lambda: in_state(told, DELIVERED), "the delivery")
        assert [attempt.status_code for attempt in after.attempts] == [404, 404, 404, 404, 200]
        assert {received.delivery_id for received in partners.at(where)} == {row.delivery_id}
        assert admin.call("POST", f"{one(row)}/replay").data["state"] == "retrying"
        release()
        eventually(lambda: len(partners.at(where)) == 6, "the same once more")

    def test_one_that_is_not_there_or_whose_partner_left(self, admin, recorded):
        answer = admin.call("POST", f"{PATH}/CONV-1/1/p/replay")
        assert (answer.status, answer.code) == (404, "DELIVERY_NOT_FOUND")
        (row,) = recorded(1, 0, PARKED)
        answer = admin.call("POST", f"{one(row)}/replay")
        assert (answer.status, answer.code) == (409, "PARTNER_ARCHIVED")

    def test_all_that_was_parked_in_a_time_counted_first(self, parked, told, partners, admin, release):
        where, rows = parked(3)
        given = {
            "partnerId": rows[0].partner_id,
            "from": min(row.created_at for row in rows),
            "to": max(row.created_at for row in rows),
            "state": "parked",
        }
        counted = replay(admin, given)
        assert counted == {
            "dryRun": True,
            "matched": 3,
            "value": {"USD": 300},
            "replayed": 0,
            "complete": True,
            "nextCursor": None,
        }
        assert len(in_state(told, PARKED)) == 3
        assert (
            replay(admin, given | {"from": times.plus(given["to"], milliseconds=1), "to": times.now()})["matched"] == 0
        )
        assert replay(admin, given | {"dryRun": False}) == counted | {"dryRun": False, "replayed": 3}
        assert replay(admin, given | {"dryRun": False})["matched"] == 0
        release()
        eventually(lambda: len(in_state(told, DELIVERED)) == 3, "all three")
        delivered = replay(admin, given | {"state": "delivered"})
        assert (delivered["matched"], delivered["value"]) == (3, {"USD": 300})
        assert sorted(one.answered for one in partners.at(where)) == [200] * 3 + [404] * 12

    def test_what_a_partner_missed_while_it_was_paused(self, told, partners, admin, release):
        where, elsewhere = path("ok"), path("ok")
        partner_id = told.partner(where, events=["Purchase"])["partnerId"]
        told.partner(elsewhere, events=["Purchase"])
        told.convert_anew(1)
        eventually(lambda: partners.at(where), "the one before")
        admin.patch("partners", partner_id, status="paused")
        missed = told.convert_anew(2)
        eventually(lambda: len(partners.at(elsewhere)) == 3, "another partner to be told")
        told.convert("Lead")
        gap = admin.patch("partners", partner_id, status="active").data["missed"]
        given = {"partnerId": partner_id, "from": gap["since"], "to": gap["until"], "state": "missing"}
        counted = eventually(lambda: (found := replay(admin, given))["matched"] == 2 and found, "both in the index")
        assert (counted["value"], counted["replayed"], counted["complete"]) == ({"USD": 200}, 0, True)
        assert len([row for row in told.all_rows() if row.partner_id == partner_id]) == 1
        assert replay(admin, given | {"dryRun": False})["replayed"] == 2
        assert replay(admin, given | {"dryRun": False})["matched"] == 0
        release()
        eventually(lambda: len(partners.at(where)) == 3, "what was missed")
        assert {received.query["click_id"] for received in partners.at(where)[1:]} == set(missed)

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"state": "retrying"}, "state"),
            ({"from": "then"}, "from"),
            ({"to": None}, "to"),
            ({"from": "2026-11-03T00:00:00Z", "to": "2026-11-02T00:00:00Z"}, "from must not be after to"),
            ({"state": "missing", "from": "2020-01-01"}, "from: deliveries are kept for 90 days"),
            ({"cursor": "x"}, "cursor"),
            ({"dryRun": "perhaps"}, "dryRun"),
        ],
    )
    def test_a_replay_of_nobody_knows_what_is_refused(self, admin, told, change, named):
        partner_id = told.partner(path("ok"))["partnerId"]
        given = {"partnerId": partner_id, "from": START, "to": times.now(), "state": "parked"}
        answer = admin.call("POST", f"{PATH}/replay", json=given | change)
        assert answer.status == 400
        assert named in answer.body["message"]

    def test_nobody_replays_to_a_partner_that_is_not_there(self, admin):
        given = {"partnerId": "nobody", "from": START, "to": START, "state": "parked"}
        answer = admin.call("POST", f"{PATH}/replay", json=given)
        assert (answer.status, answer.code) == (404, "PARTNER_NOT_FOUND")

    def test_the_parking_queue_is_worked_off(self, parked, told, admin, stack, recorded, release):
        _, rows = parked(2)
        (gone_on,) = recorded(1, 0, DELIVERED)
        queue_url = stack.outputs["ParkedDeliveriesQueueUrl"]
        stale = {"conversionId": gone_on.conversion_id, "deliveryKey": gone_on.delivery_key, "attempt": 1}
        for body in ("not one of ours", json.dumps(stale)):
            stack.aws.sqs.send_message(QueueUrl=queue_url, MessageBody=body)
        counted = admin.call("POST", f"{PATH}/redrive", json={}).data
        assert counted.pop("dryRun") is True
        assert counted["messages"] >= 4
        assert counted["parked"] >= 2
        assert len(in_state(told, PARKED)) == 2

        worked_off = {"unreadable": 0, "stale": 0, "replayed": 0}

        def all_of_ours() -> bool:
            done = admin.call("POST", f"{PATH}/redrive", json={"dryRun": False}).data
            for outcome in worked_off:
                worked_off[outcome] += done[outcome]
            return not in_state(told, PARKED) and worked_off["stale"] > 0 and worked_off["unreadable"] > 0

        eventually(all_of_ours, "the whole queue")
        assert worked_off["replayed"] >= 2
        release()
        eventually(lambda: len(in_state(told, DELIVERED)) == 2, "both told")
        assert {row.delivery_id for row in in_state(told, DELIVERED)} == {row.delivery_id for row in rows}

    @pytest.mark.parametrize("limit", [0, 101, "all"])
    def test_a_redrive_has_a_limit(self, admin, limit):
        answer = admin.call("POST", f"{PATH}/redrive", json={"limit": limit})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")


def replay(admin: Client, given: dict[str, Any]) -> dict[str, Any]:
    return admin.call("POST", f"{PATH}/replay", json=given).data


def in_state(told: DistributionResult, state: DeliveryState) -> list[Delivery]:
    return [row for row in told.all_rows() if row.state is state]
