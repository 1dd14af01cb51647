"""Operators look at deliveries, and replay or redrive those that failed."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.client import Client
from ricochet.delivery.deliveries_table import DeliveriesTable, Listing, Position
from ricochet.delivery.delivery import Delivery, DeliveryState, new_delivery
from ricochet.dynamodb.wire import to_wire
from ricochet.ledger.notice import Notice
from ricochet.values import times
from ricochet.values.statuses import Status
from tests.integration.campaign import Campaign, path
from tests.integration.functions import invoke
from tests.waiting import eventually

PATH = "/api/v1/admin/deliveries"
DAY = times.plus(times.now(), days=-29)[:10]
START = f"{DAY}T00:00:00.000Z"
RETRYING, DELIVERED, SUPERSEDED, PARKED = DeliveryState
numbers = itertools.count()


@pytest.fixture
def release(stack):
    return lambda: invoke(stack, "ReleaseDueDeliveries")["released"]


@pytest.fixture
def recorded(stack):
    """Write deliveries as the engine would have left them, for a partner that does not exist."""
    partner_id = f"recorded-{next(numbers)}"

    def write(number: int, minute: int = 0, state: DeliveryState = DELIVERED, **fields: Any) -> list[Delivery]:
        moment = times.plus(START, minutes=minute)
        rows = []
        for _ in range(number):
            conversion_id = f"CONV-{partner_id}-{next(numbers)}"
            notice = Notice(
                **{"status": Status.APPROVED, "payout": "2.50", "currency": "USD"} | fields,
                original_status="sale",
                conversion_id=conversion_id,
                timestamp=moment,
            )
            # due in a hundred years, so that it is never sent
            due_at = times.plus(moment, days=36500) if state is RETRYING else None
            rows.append(new_delivery(conversion_id, 1, partner_id, notice, moment, state=state, due_at=due_at))
            stack.aws.dynamodb.put_item(TableName=stack.table("Deliveries"), Item=to_wire(rows[-1].to_item()))
        return rows

    write.partner_id = partner_id
    return write


def pages(client: Client, where: str, limit: int, **query: str) -> list[list[dict[str, Any]]]:
    """Return all pages of a listing."""
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


class TestReading:
    def test_users_are_forbidden(self, person):
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

    def test_deliveries_of_a_conversion_are_listed_newest_version_first(self, campaign, admin):
        for _ in range(2):
            campaign.add_partner(path("ok"))
        campaign.report("Lead")
        eventually(lambda: len(campaign.deliveries()) == 2, "the Lead")
        campaign.report("Purchase")
        rows = eventually(lambda: (found := campaign.deliveries()) and len(found) == 4 and found, "the Purchase")
        listed = pages(admin, PATH, 3, conversionId=rows[0].conversion_id)
        assert [len(page) for page in listed] == [3, 1]
        shown = [(row["version"], row["partnerId"]) for page in listed for row in page]
        assert shown == sorted(((row.version, row.partner_id) for row in rows), reverse=True)

    def test_a_delivery_is_shown_with_its_attempts(self, campaign, admin):
        campaign.add_partner(path("flaky"))
        campaign.report()
        row = campaign.delivery(DELIVERED)
        shown = admin.get(one(row)).data
        assert [attempt["statusCode"] for attempt in shown["attempts"]] == [500, 500, 200]
        assert (shown["deliveryId"], shown["notice"]["clickId"]) == (row.delivery_id, campaign.click_id)
        assert "attempts" not in admin.get(PATH, conversionId=row.conversion_id).data["items"][0]
        assert {"ttl", "partnerShard", "stateShard", "leaseUntil"}.isdisjoint(shown)

    @pytest.mark.parametrize("where", ["CONV-1/1/p", "CONV-1/0/p", "CONV-1/x/p", "CONV-1/9999999/p"])
    def test_an_unknown_delivery_is_not_found(self, admin, where):
        answer = admin.get(f"{PATH}/{where}")
        assert (answer.status, answer.code) == (404, "DELIVERY_NOT_FOUND")

    @pytest.mark.parametrize("limit", [1, 7, 20, 100])
    def test_deliveries_of_a_partner_are_paged_without_gaps_or_duplicates(self, recorded, admin, limit):
        """Many have the same time, since one conversion is sent to many partners at once."""
        rows = [row for minute in (3, 1, 2) for row in recorded(13, minute)] + recorded(2, 5)
        listed = pages(admin, PATH, limit, partnerId=recorded.partner_id)
        found = [key for page in listed for key in keys(page)]
        assert found == sorted(((row.created_at, row.conversion_id) for row in rows), reverse=True)
        assert all(len(page) == limit for page in listed[:-1])

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_a_walk_continues_after_any_position(self, recorded, stack, newest_first):
        rows = [row for minute in (2, 1) for row in recorded(6, minute)]
        table = DeliveriesTable(stack.aws.dynamodb, stack.table("Deliveries"))
        listing = Listing(recorded.partner_id)
        expected = sorted(map(Position.of, rows), reverse=newest_first)
        for number, after in enumerate([None, *expected]):
            found = table.walk(listing, after, newest_first=newest_first, read_at_once=1)
            assert [Position.of(row) for row in found] == expected[number:]

    def test_deliveries_of_a_partner_can_be_filtered_by_time(self, recorded, admin):
        for minute in range(5):
            recorded(3, minute)
        span = {"from": f"{DAY}T00:01:00Z", "to": f"{DAY}T02:03:00+02:00"}
        listed = pages(admin, PATH, 4, partnerId=recorded.partner_id, **span)
        minutes = [row["createdAt"][14:16] for page in listed for row in page]
        assert minutes == ["03"] * 3 + ["02"] * 3 + ["01"] * 3

    @pytest.mark.parametrize("state", DeliveryState)
    def test_deliveries_of_a_partner_can_be_filtered_by_state(self, recorded, admin, state):
        for minute, other in enumerate(DeliveryState):
            recorded(4, minute, other)
        listed = pages(admin, PATH, 3, partnerId=recorded.partner_id, state=state)
        assert [row["state"] for page in listed for row in page] == [state] * 4

    @pytest.mark.parametrize("state", [RETRYING, PARKED])
    def test_open_deliveries_of_all_partners_are_listed_newest_first(self, recorded, admin, state):
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
    def test_a_listing_without_a_valid_filter_is_refused(self, admin, query, named):
        answer = admin.get(PATH, **query)
        assert answer.status == 400
        assert named in answer.body["message"]

    def test_a_tampered_cursor_or_one_of_another_listing_is_refused(self, recorded, admin):
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

    def test_undelivered_value_is_summed_by_partner_and_currency(self, recorded, admin):
        recorded(2, 1, RETRYING)
        recorded(1, 2, PARKED, payout="0.1")
        recorded(1, 3, PARKED, payout="7", currency="EUR")
        recorded(1, 4, PARKED, payout="9", status=Status.PENDING)
        recorded(5, 0, DELIVERED)
        data = admin.get(f"{PATH}/undelivered").data
        assert data["nextCursor"] is None
        mine = [item for item in data["items"] if item.pop("partnerId") == recorded.partner_id]
        since = times.plus(START, minutes=1)
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


class TestReplaying:
    @pytest.fixture
    def parked(self, campaign, partners):
        """Report so many purchases to a partner that refuses them until they are parked, and then accepts again.

        Return the partner's path and the deliveries.
        """

        def make(number: int) -> tuple[str, list[Delivery]]:
            where = path("scripted")
            campaign.add_partner(where)
            partners.answers[where] = 404
            campaign.report_purchases(number)
            rows = eventually(
                lambda: (found := in_state(campaign, PARKED)) and len(found) == number and found, "the parking"
            )
            partners.answers[where] = 200
            return where, rows

        return make

    def test_a_single_delivery_can_be_replayed(self, parked, campaign, partners, admin, release):
        where, (row,) = parked(1)
        answer = admin.call("POST", f"{one(row)}/replay")
        assert (answer.status, answer.data["state"]) == (200, "retrying")
        again = admin.call("POST", f"{one(row)}/replay")
        assert (again.status, again.code) == (409, "DELIVERY_UNDER_WAY")
        released(release, lambda: bool(in_state(campaign, DELIVERED)), "the delivery")
        (after,) = in_state(campaign, DELIVERED)
        assert [attempt.status_code for attempt in after.attempts] == [404, 404, 404, 404, 200]
        assert {received.delivery_id for received in partners.at(where)} == {row.delivery_id}
        assert admin.call("POST", f"{one(row)}/replay").data["state"] == "retrying"
        released(release, lambda: len(partners.at(where)) == 6, "a second replay")

    def test_an_unknown_delivery_or_one_of_an_archived_partner_cannot_be_replayed(self, admin, recorded):
        answer = admin.call("POST", f"{PATH}/CONV-1/1/p/replay")
        assert (answer.status, answer.code) == (404, "DELIVERY_NOT_FOUND")
        (row,) = recorded(1, 0, PARKED)
        answer = admin.call("POST", f"{one(row)}/replay")
        assert (answer.status, answer.code) == (409, "PARTNER_ARCHIVED")

    def test_parked_deliveries_of_a_time_span_are_counted_and_then_replayed(
        self, parked, campaign, partners, admin, release
    ):
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
        assert len(in_state(campaign, PARKED)) == 3
        assert (
            replay(admin, given | {"from": times.plus(given["to"], milliseconds=1), "to": times.now()})["matched"] == 0
        )
        assert replay(admin, given | {"dryRun": False}) == counted | {"dryRun": False, "replayed": 3}
        assert replay(admin, given | {"dryRun": False})["matched"] == 0
        released(release, lambda: len(in_state(campaign, DELIVERED)) == 3, "all three")
        delivered = replay(admin, given | {"state": "delivered"})
        assert (delivered["matched"], delivered["value"]) == (3, {"USD": 300})
        assert sorted(received.answered for received in partners.at(where)) == [200] * 3 + [404] * 12

    def test_deliveries_missed_during_a_pause_can_be_replayed(self, campaign, partners, admin, release):
        where, elsewhere = path("ok"), path("ok")
        partner_id = campaign.add_partner(where, events=["Purchase"])["partnerId"]
        campaign.add_partner(elsewhere, events=["Purchase"])
        campaign.report_purchases(1)
        eventually(lambda: partners.at(where), "the purchase before the pause")
        admin.patch("partners", partner_id, status="paused")
        missed = campaign.report_purchases(2)
        eventually(lambda: len(partners.at(elsewhere)) == 3, "all of them at another partner")
        campaign.report("Lead")
        gap = admin.patch("partners", partner_id, status="active").data["missed"]
        given = {"partnerId": partner_id, "from": gap["since"], "to": gap["until"], "state": "missing"}
        counted = eventually(
            lambda: (found := replay(admin, given))["matched"] == 2 and found, "both in the index of conversions"
        )
        assert (counted["value"], counted["replayed"], counted["complete"]) == ({"USD": 200}, 0, True)
        assert len([row for row in campaign.all_deliveries() if row.partner_id == partner_id]) == 1
        assert replay(admin, given | {"dryRun": False})["replayed"] == 2
        assert replay(admin, given | {"dryRun": False})["matched"] == 0
        released(release, lambda: len(partners.at(where)) == 3, "the missed deliveries")
        assert {received.query["click_id"] for received in partners.at(where)[1:]} == set(missed)

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"state": "retrying"}, "state"),
            ({"from": "then"}, "from"),
            ({"to": None}, "to"),
            ({"from": times.plus(START, days=2), "to": times.plus(START, days=1)}, "from must not be after to"),
            ({"state": "missing", "from": "2020-01-01"}, "from: deliveries are kept for 90 days"),
            ({"cursor": "x"}, "cursor"),
            ({"dryRun": "perhaps"}, "dryRun"),
        ],
    )
    def test_an_invalid_replay_request_is_refused(self, admin, campaign, change, named):
        partner_id = campaign.add_partner(path("ok"))["partnerId"]
        given = {"partnerId": partner_id, "from": START, "to": times.now(), "state": "parked"}
        answer = admin.call("POST", f"{PATH}/replay", json=given | change)
        assert answer.status == 400
        assert named in answer.body["message"]

    def test_a_replay_to_an_unknown_partner_is_refused(self, admin):
        given = {"partnerId": "nobody", "from": START, "to": START, "state": "parked"}
        answer = admin.call("POST", f"{PATH}/replay", json=given)
        assert (answer.status, answer.code) == (404, "PARTNER_NOT_FOUND")

    def test_a_redrive_empties_the_parking_queue(self, parked, campaign, admin, stack, recorded, release):
        _, rows = parked(2)
        (delivered,) = recorded(1, 0, DELIVERED)
        queue_url = stack.outputs["ParkedDeliveriesQueueUrl"]
        stale = {"conversionId": delivered.conversion_id, "deliveryKey": delivered.delivery_key, "attempt": 1}
        for body in ("not one of ours", json.dumps(stale)):
            stack.aws.sqs.send_message(QueueUrl=queue_url, MessageBody=body)

        def dry_run() -> dict[str, Any]:
            """Return the answer once both messages are on the queue, where they arrive after their rows are parked."""
            answer = admin.call("POST", f"{PATH}/redrive", json={}).data
            return answer if answer["messages"] >= 4 else {}

        counted = eventually(dry_run, "four messages")
        assert counted.pop("dryRun") is True
        assert counted["parked"] >= 2
        assert len(in_state(campaign, PARKED)) == 2

        processed = {"unreadable": 0, "stale": 0, "replayed": 0}

        def all_are_processed() -> bool:
            answer = admin.call("POST", f"{PATH}/redrive", json={"dryRun": False}).data
            for outcome in processed:
                processed[outcome] += answer[outcome]
            return not in_state(campaign, PARKED) and processed["stale"] > 0 and processed["unreadable"] > 0

        eventually(all_are_processed, "the whole queue")
        assert processed["replayed"] >= 2
        released(release, lambda: len(in_state(campaign, DELIVERED)) == 2, "both deliveries")
        assert {row.delivery_id for row in in_state(campaign, DELIVERED)} == {row.delivery_id for row in rows}

    @pytest.mark.parametrize("limit", [0, 101, "all"])
    def test_an_invalid_redrive_limit_is_refused(self, admin, limit):
        answer = admin.call("POST", f"{PATH}/redrive", json={"limit": limit})
        assert (answer.status, answer.code) == (400, "INVALID_REQUEST")


def released(release: Callable[[], int], is_done: Callable[[], bool], what: str) -> None:
    """Release due deliveries until it is done."""

    def look() -> bool:
        release()
        return is_done()

    eventually(look, what)


def replay(admin: Client, given: dict[str, Any]) -> dict[str, Any]:
    return admin.call("POST", f"{PATH}/replay", json=given).data


def in_state(campaign: Campaign, state: DeliveryState) -> list[Delivery]:
    return [row for row in campaign.all_deliveries() if row.state is state]
