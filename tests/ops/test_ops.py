"""The operator's command line on a stack that has just run the demo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from local.workspace import CREDENTIALS, REGION
from ops import cli, deliveries, journal
from ops import stacks as ops_stacks
from ops.user import read_ledger
from ricochet.delivery.delivery import DeliveryState
from tests.waiting import eventually

UNKNOWN_CLICK = "3b241101-e2bb-4255-8caf-4136c566a962"


def red(report: Any) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in report["checks"] if not one["ok"]}


class TestDoctor:
    def test_everything_is_green_after_the_demo(self, deployed):
        result = deployed.ops("doctor")
        assert (result.exit_code, "✘" in result.stdout) == (0, False), result.stdout
        assert result.stdout.endswith("all green\n")
        report = deployed.json("doctor")
        assert report["ok"] is True
        assert [one["check"] for one in report["checks"]] == [
            *("stack", "tables", "triggers", "partners", "reach", "postbacks", "deliveries", "queues", "alarms"),
        ]

    def test_stopped_partner_server_is_red_with_the_right_advice(self, deployed):
        with deployed.without_partner_server():
            report = deployed.json("doctor")
            assert list(red(report)) == ["reach"]
            (finding,) = red(report).values()
            assert f"127.0.0.1:{deployed.partners.port}" in finding["text"]
            assert "refused" in finding["text"]
            assert "ask the partner" in finding["advice"]
            result = deployed.ops("doctor")
            assert result.exit_code == 1
            assert 'make ops ARGS="partners show demo-flaky --stack ricochet-local --region us-east-1"' in result.stdout
        assert deployed.ops("doctor").exit_code == 0

    def test_on_the_local_stack_it_names_the_command_that_starts_the_partners(self, deployed, monkeypatch, tmp_path):
        stack_file = tmp_path / "stack.json"
        content = {"aws_endpoint_url": deployed.stack.aws.endpoint_url, "partner_url": deployed.partners.url}
        stack_file.write_text(json.dumps(content | {"stack_name": deployed.stack.name, "region": REGION}))
        monkeypatch.setattr(ops_stacks, "STACK_FILE", stack_file)
        with deployed.without_partner_server():
            result = CliRunner().invoke(cli.app, ["doctor"])
        assert (result.exit_code, "make start-partners" in result.stdout) == (1, True)

    def test_disabled_trigger_is_red(self, deployed):
        functions = deployed.stack.aws.lambda_
        mappings = functions.list_event_source_mappings(FunctionName=deployed.stack.function("RetryPostbacks"))
        (mapping,) = mappings["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            finding = red(deployed.json("doctor"))["triggers"]
            assert finding["text"].startswith("RetryPostbacksMessages is Disabl")
        finally:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def test_parked_postback_is_red(self, deployed):
        url = deployed.stack.outputs["ParkedPostbacksQueueUrl"]
        deployed.stack.aws.sqs.send_message(QueueUrl=url, MessageBody="{}")
        try:
            assert red(deployed.json("doctor"))["queues"]["text"].startswith("ParkedPostbacks: 1 ")
        finally:
            deployed.stack.aws.sqs.purge_queue(QueueUrl=url)

    def test_product_whose_postbacks_are_all_refused_is_red(self, deployed, secret_offer):
        click_id = secret_offer.click()
        deployed.public.postback(click_id, token="wrong")
        finding = red(deployed.json("doctor"))["postbacks"]
        assert finding["command"] == f"receipts --product {secret_offer.product_id}"
        assert deployed.json(finding["command"])["items"][0]["outcome"] == "postback_not_authenticated"
        story = deployed.ops(f"conversion {click_id}")
        assert "none: this click has no conversion" in story.stdout
        assert "postback_not_authenticated" in story.stdout

    def test_missing_stack_is_the_only_line(self, deployed):
        line = ["doctor", "--json", "--stack", "nobodys", "--region", REGION]
        env = CREDENTIALS | {"AWS_ENDPOINT_URL": deployed.stack.aws.endpoint_url}
        result = CliRunner().invoke(cli.app, line, env=env)
        (check,) = json.loads(result.stdout)["checks"]
        assert (result.exit_code, check["check"]) == (1, "stack")
        assert "nobodys cannot be reached" in check["text"]

    def test_stack_without_an_api_gives_one_line_and_no_traceback(self, deployed):
        cloudformation = deployed.stack.aws.cloudformation
        template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
        cloudformation.create_stack(StackName="bare", TemplateBody=template)
        cloudformation.get_waiter("stack_create_complete").wait(StackName="bare", WaiterConfig={"Delay": 1})
        env = CREDENTIALS | {"AWS_ENDPOINT_URL": deployed.stack.aws.endpoint_url}
        try:
            options = ["--stack", "bare", "--region", REGION]
            result = CliRunner().invoke(cli.app, ["doctor", "--json", *options], env=env)
            (check,) = json.loads(result.stdout)["checks"]
            assert (result.exit_code, check["text"]) == (1, "the stack is CREATE_COMPLETE and has no ApiUrl")
            refused = CliRunner().invoke(cli.app, ["user", "anybody", *options], env=env)
            assert (refused.exit_code, "bare is CREATE_COMPLETE and has no" in refused.stderr) == (1, True)
        finally:
            cloudformation.delete_stack(StackName="bare")


class TestConversion:
    def test_refunded_sale_fits_on_one_screen(self, deployed, sale):
        result = deployed.ops(f"conversion {sale['conversionId']}")
        lines = result.stdout.splitlines()
        assert len(lines) <= 50
        assert max(map(len, lines)) <= 120
        for part in (
            *(sale["conversionId"], sale["transactionId"], sale["clickId"], sale["userId"]),
            *("reversed, version 2", "40.25 USD reported, 0.00 USD credited now", '"SALE"', '"RFND"'),
            *("+40.25 USD", "-40.25 USD", "+4.025 USD", "-4.025 USD", deployed.demo.referrer.user_id),
            *("version 1 (Purchase) delivered: 500 (", "version 2 (Reject) delivered: 200 ("),
        ):
            assert part in result.stdout, part

    def test_conversion_is_found_by_each_of_its_ids(self, deployed, sale):
        receipts = deployed.json(f"receipts --click {sale['clickId']}")["items"]
        undashed = sale["clickId"].replace("-", "")
        for some_id in (sale["transactionId"], sale["clickId"], undashed, receipts[0]["receiptId"]):
            found = deployed.json(f"conversion {some_id}")
            assert found["conversion"]["conversionId"] == sale["conversionId"]
        assert [one["outcome"] for one in found["receipts"]] == ["credited", "reversed"]
        assert [one["amount"] for one in found["earnings"]] == [40.25, -40.25]
        assert [one["amount"] for one in found["commissions"]] == [4.025, -4.025]
        assert {one["partnerId"] for one in found["deliveries"]} == {"demo-flaky", "demo-get", "demo-post"}

    def test_source_id_that_came_with_an_event_is_searched_in_recent_days(self, deployed):
        key = deployed.demo.networks["generic"]["uniqueKey"]
        query = {"click_id": "theirs", "status": "sale", "payout": "1", "txid": "deep-1", "event": "level-9"}
        deployed.public.network_postback(str(key), params=query)
        found = eventually(lambda: deployed.ops("conversion deep-1 --json").stdout, "the index")
        assert json.loads(found)["conversion"]["event"] == "level-9"
        assert deployed.ops("conversion deep-1 --days 0").exit_code == 1

    def test_conversion_without_a_click_has_its_receipts_too(self, deployed):
        key = deployed.demo.networks["generic"]["uniqueKey"]
        for status in ("lead", "sale"):
            query = {"click_id": "theirs", "status": status, "payout": "1", "txid": "no-click-1"}
            deployed.public.network_postback(str(key), params=query)
        found = deployed.json("conversion no-click-1")
        assert [one["outcome"] for one in found["receipts"]] == ["unmatched", "approved"]
        assert (found["click"], found["earnings"], found["referrerId"]) == (None, [], None)

    @pytest.mark.parametrize("unknown", ["CONV-0", "unknown-id", UNKNOWN_CLICK])
    def test_unknown_id_gives_an_error_line(self, deployed, unknown):
        result = deployed.ops(f"conversion {unknown}")
        assert (result.exit_code, unknown in result.stderr) == (1, True)


class TestListings:
    def test_receipts_of_all_sources_are_listed_newest_first(self, deployed):
        items = deployed.json("receipts --limit 100")["items"]
        assert {"network:demo-generic", "network:demo-clickbank", "product:demo-secret"} <= {
            r.get("source") for r in items
        }
        assert [one["receiptId"] for one in items] == sorted((one["receiptId"] for one in items), reverse=True)
        assert len(deployed.json("receipts --limit 1")["items"]) == 1
        refused = deployed.json("receipts --product demo-secret --outcome postback_not_authenticated")["items"]
        assert [one["outcome"] for one in refused] == ["postback_not_authenticated"]
        assert deployed.json("receipts --network demo-generic --day 2020-01-01")["items"] == []

    def test_receipts_of_unidentified_senders_are_listed_too(self, deployed):
        before = len(deployed.json("receipts --strangers")["items"])
        deployed.public.postback(UNKNOWN_CLICK, amount=2, status="completed")
        (newest, *_) = deployed.json("receipts --limit 1")["items"]
        assert (newest["outcome"], newest["clickId"]) == ("click_not_found", UNKNOWN_CLICK)
        for line in ("receipts --outcome click_not_found", "receipts --strangers"):
            assert deployed.json(line)["items"][0] == newest
        assert len(deployed.json("receipts --strangers")["items"]) == before + 1
        assert "unidentified sender" in deployed.ops("receipts --outcome click_not_found").stdout

    def test_single_receipt_is_shown_with_its_body(self, deployed):
        (summary,) = deployed.json("receipts --product demo-secret --outcome credited")["items"]
        whole = deployed.json(f"receipts {summary['receiptId']}")
        assert json.loads(whole["body"])["amount"] == 50.0
        assert whole["method"] == "POST"
        assert deployed.ops("receipts RCPT-0").exit_code == 1

    def test_deliveries_are_found_by_partner_state_and_conversion(self, deployed, sale):
        of_sale = deployed.json(f"deliveries --conversion {sale['conversionId']}")["items"]
        assert len(of_sale) == 5
        flaky = deployed.json("deliveries --partner demo-flaky --state delivered")["items"]
        assert {one["partnerId"] for one in flaky} == {"demo-flaky"}
        assert [one["createdAt"] for one in flaky] == sorted((one["createdAt"] for one in flaky), reverse=True)
        assert deployed.json("deliveries --state parked")["items"] == []
        assert len(deployed.json("deliveries --limit 2")["items"]) == 2

    def test_health_lists_partners_that_need_attention(self, deployed, offer):
        assert deployed.json("health") == {"items": [], "isAll": True}
        partner_id = offer.add_partner()
        deployed.ops(f"partners edit {partner_id} status=paused --yes")
        (paused,) = deployed.json("health")["items"]
        assert (paused["partnerId"], paused["status"]) == (partner_id, "paused")
        assert partner_id in deployed.ops("health").stdout


class TestFollow:
    def test_each_change_is_shown_once(self, deployed, offer, monkeypatch):
        partner_id = offer.add_partner("later")
        offer.deliveries(offer.convert(), "retrying")
        follower = deliveries.Follower(deployed.ops_stack(monkeypatch), deliveries.Filter(partner=partner_id, limit=1))
        assert len(follower.start()) == 1
        assert follower.changes() == []
        conversion_id = offer.convert()
        seen: list[str] = []

        def has_seen(state: str) -> bool:
            changed = follower.changes()
            assert {row.conversion_id for row in changed} <= {conversion_id}
            seen.extend(row.state for row in changed)
            return state in seen

        eventually(lambda: has_seen("retrying"), "the failed attempt")
        offer.retry_now(conversion_id)
        eventually(lambda: has_seen("delivered"), "the delivery")
        assert seen[0] == "retrying"
        assert seen.count("delivered") == 1

    def test_more_new_deliveries_are_shown_than_were_listed_at_the_start(self, deployed, offer, monkeypatch):
        follower = deliveries.Follower(deployed.ops_stack(monkeypatch), deliveries.Filter(limit=1))
        assert len(follower.start()) == 1
        partner_ids = [offer.add_partner() for _ in range(3)]
        conversion_ids = {offer.convert() for _ in range(2)}
        for conversion_id in conversion_ids:
            offer.deliveries(conversion_id, "delivered")
        assert {(row.conversion_id, row.partner_id, row.state) for row in follower.changes()} == {
            (conversion_id, partner_id, "delivered") for conversion_id in conversion_ids for partner_id in partner_ids
        }
        assert follower.changes() == []

    def test_only_the_deliveries_of_one_conversion_are_shown(self, deployed, offer, monkeypatch):
        partner_id, _ = offer.add_partner(), offer.add_partner()
        conversion_id = offer.convert()
        offer.deliveries(conversion_id, "delivered")
        follower = deliveries.Follower(
            deployed.ops_stack(monkeypatch), deliveries.Filter(conversion=conversion_id, limit=2)
        )
        assert len(follower.start()) == 2
        offer.deliveries(offer.convert(), "delivered")
        assert follower.changes() == []
        offer.pause_partners()
        deployed.ops(f"replay delivery {conversion_id}/1/{partner_id} --yes")
        (changed,) = follower.changes()
        assert (changed.partner_id, changed.version, changed.state) == (partner_id, 1, "retrying")

    def test_older_deliveries_are_shown_when_they_are_parked(self, deployed, offer, monkeypatch):
        deployed.clear_parked()
        stack = deployed.ops_stack(monkeypatch)
        for _ in range(3):
            offer.add_partner("later")
        conversion_id = offer.convert()
        offer.deliveries(conversion_id, "retrying")
        all_changes = deliveries.Follower(stack, deliveries.Filter(limit=1))
        parked_only = deliveries.Follower(stack, deliveries.Filter(state=DeliveryState.PARKED))
        assert len(all_changes.start()) == 1
        parked_only.start()
        seen: dict[str, set[str]] = {"all": set(), "parked": set()}

        def are_parked() -> bool:
            seen["all"] |= {row.partner_id for row in all_changes.changes() if row.state == "parked"}
            seen["parked"] |= {row.partner_id for row in parked_only.changes()}
            return all(partner_ids == set(offer.partner_ids) for partner_ids in seen.values())

        offer.move_partners("down")
        offer.retry_now(conversion_id)
        eventually(are_parked, "three parked deliveries")
        eventually(lambda: deployed.json("redrive --dry-run")["messages"] == 3, "the messages in the parking queue")
        late_follower = deliveries.Follower(stack, deliveries.Filter(state=DeliveryState.PARKED, limit=1))
        assert len(late_follower.start()) == 1
        offer.pause_partners()
        deployed.ops("redrive --yes")
        assert [row.state for row in late_follower.changes()] == ["retrying"] * 3
        assert [row.state for row in parked_only.changes()] == ["retrying"] * 3
        assert parked_only.changes() == []


class TestReplayReceipt:
    def test_refused_postback_is_credited_when_an_operator_vouches_for_it(self, deployed, secret_offer):
        click_id = secret_offer.click()
        refusal = deployed.public.postback(click_id, token="wrong", amount=3, transactionId="late-1")
        assert refusal.status == 403
        (refused,) = deployed.json(f"receipts --click {click_id}")["items"]
        declined = deployed.ops(f"replay receipt {refused['receiptId']}", answer="n\n")
        assert (declined.exit_code, "postback_not_authenticated" in declined.stdout) == (1, True)
        assert deployed.ops("conversion late-1").exit_code == 1
        reply = deployed.confirmed(f"replay receipt {refused['receiptId']}")
        assert (reply["outcome"], reply["amount"]) == ("credited", 3)
        line = deployed.last_journal_line("receipt.replayed")
        assert (line["click_id"], line["audit"]["resource"]) == (click_id, refused["receiptId"])
        assert line["audit"]["before"]["outcome"] == "postback_not_authenticated"
        assert line["audit"]["after"]["outcome"] == "credited"
        again = deployed.ops(f"replay receipt {refused['receiptId']} --yes")
        assert "credited before, repeat now" in again.stdout
        assert [one["amount"] for one in deployed.json("conversion late-1")["earnings"]] == [3]
        assert deployed.ops("replay receipt RCPT-0 --yes").exit_code == 1

    def test_late_postback_is_refused_again(self, deployed, offer):
        click_id = offer.click()
        deployed.rows.set("Clicks", {"clickId": click_id}, expiresAt="2020-01-01T00:00:00.000Z")
        assert deployed.public.postback(click_id, amount=1, status="completed").status == 410
        (late,) = deployed.json(f"receipts --click {click_id}")["items"]
        result = deployed.ops(f"replay receipt {late['receiptId']} --yes")
        assert (result.exit_code, "expired" in result.stderr) == (1, True)
        assert "by the time of its arrival" in " ".join(deployed.ops("replay receipt --help").stdout.split())


class TestReplayDeliveries:
    def test_doctor_shows_parked_deliveries_and_how_to_replay_them(self, deployed, parked):
        found = {one["command"]: one for one in deployed.json("doctor")["checks"] if not one["ok"]}
        assert {f"deliveries --partner {one['partnerId']} --state parked" for one in parked} < found.keys()
        assert "3 deliveries were given up" in found["redrive"]["text"]
        counted = deployed.json("redrive --dry-run")
        assert counted == {"dryRun": True, "messages": 3, "parked": 3}
        assert deployed.ops("redrive", answer="n\n").exit_code == 1
        assert len(deployed.json("deliveries --state parked")["items"]) == 3

    def test_one_delivery_is_replayed_by_its_name_and_the_others_from_the_queue(self, deployed, parked):
        name = f"{parked[0]['conversionId']}/1/{parked[0]['partnerId']}"
        assert name in deployed.ops("deliveries --state parked").stdout
        declined = deployed.ops(f"replay delivery {name}", answer="n\n")
        assert (declined.exit_code, "parked" in declined.stdout) == (1, True)
        assert deployed.confirmed(f"replay delivery {name}")["state"] == "retrying"
        line = deployed.last_journal_line("delivery.replayed")
        assert (line["conversion_id"], line["partner_id"]) == (parked[0]["conversionId"], parked[0]["partnerId"])
        assert (line["audit"]["before"]["state"], line["audit"]["after"]["state"]) == ("parked", "retrying")
        again = deployed.ops(f"replay delivery {name.replace('/', ' ')} --yes")
        assert (again.exit_code, "still being tried" in again.stderr) == (1, True)
        first = deployed.confirmed("redrive --limit 1")
        assert first["received"] == 1
        line = deployed.last_journal_line("deliveries.redriven")
        assert line["audit"]["result"] == {name: number for name, number in first.items() if name != "dryRun"}
        rest = deployed.ops("redrive", answer="y\n").stdout
        assert "Redrive 2 messages?" in rest
        before = deployed.journal()
        assert deployed.json("redrive --yes")["received"] == 0
        assert deployed.journal() == before
        assert deployed.json("deliveries --state parked")["items"] == []

    def test_all_deliveries_of_a_partner_and_time_are_counted_first(self, deployed, parked):
        first, second, _ = parked
        line = "replay deliveries --state parked --partner {partnerId} --from {createdAt} --to {createdAt}".format(
            **first
        )
        counted = deployed.json(f"{line} --dry-run")
        assert (counted["dryRun"], counted["matched"], counted["replayed"], counted["value"]) == (
            True,
            1,
            0,
            {"USD": 2},
        )
        declined = deployed.ops(line, answer="n\n")
        assert (declined.exit_code, "2.00 USD" in declined.stdout) == (1, True)
        done = deployed.confirmed(line)
        assert (done["replayed"], done["complete"]) == (1, True)
        run = deployed.last_journal_line("deliveries.replayed")["audit"]
        assert (run["resource"], run["result"]["replayed"]) == (first["partnerId"], 1)
        other = "replay deliveries --state parked --partner {partnerId} --from {createdAt} --to {createdAt}".format(
            **second
        )
        assert "1 are due now" in deployed.ops(other, answer="y\n").stdout
        nothing = deployed.ops(line)
        assert (nothing.exit_code, "[y/N]" in nothing.stdout) == (0, False)
        assert deployed.json(f"{line} --yes")["matched"] == 0

    def test_delivered_postback_is_sent_again_with_the_same_id(self, deployed, offer):
        partner_id = offer.add_partner()
        (row,) = offer.deliveries(offer.convert(), "delivered")
        at = row["createdAt"]
        line = f"replay deliveries --partner {partner_id} --state delivered --from {at} --to {at} --yes --json"
        assert json.loads(deployed.ops(line).stdout)["replayed"] == 1
        deployed.release_due()

        def is_sent_twice() -> bool:
            return [one.delivery_id for one in deployed.partners.received].count(row["deliveryId"]) == 2

        eventually(is_sent_twice, "the second request with the same delivery id")

    def test_missed_deliveries_are_sent_by_the_command_that_is_shown_after_a_pause(self, deployed, offer):
        paused, _ = offer.add_partner(), offer.add_partner()
        deployed.ops(f"partners edit {paused} status=paused --yes")
        conversion_id = offer.convert()
        line = f"deliveries --conversion {conversion_id}"
        eventually(lambda: deployed.json(line)["items"], "the delivery to the other partner")
        resumed = deployed.ops(f"partners edit {paused} status=active --yes").stdout
        (command,) = [text for text in resumed.splitlines() if text.startswith("make ops")]
        replayed = deployed.ops(command.split('"')[1].partition(" --stack")[0], "--yes", "--json")
        report = json.loads(replayed.stdout)
        receivers = {one["partnerId"] for one in deployed.json(line)["items"]}
        assert (report["complete"], paused in receivers) == (True, True)

    def test_invalid_replay_gives_an_error_line(self, deployed):
        line = "replay deliveries --partner {} --state missing --from {} --to {}"
        for arguments, hint in (
            (line.format("nobodys", "2026-11-01", "2026-11-02"), "no such partner"),
            (line.format("demo-get", "yesterday", "2026-11-02"), "from: must be a time"),
            (line.format("demo-get", "2026-11-02", "2026-11-01"), "from must not be after to"),
            (line.format("demo-get", "2020-01-01", "2020-01-02"), "90 days"),
            ("replay delivery CONV-0 1 demo-get --yes", "no such delivery"),
            ("replay delivery CONV-0 --yes", "name a conversion"),
        ):
            result = deployed.ops(arguments)
            assert (result.exit_code, hint in result.stderr) == (1, True), result.output


class TestEarnings:
    def test_waiting_earning_is_listed_and_approved_once(self, deployed, manual_offer):
        conversion_id = manual_offer.convert()
        (row,) = deployed.json(f"earnings list --product {manual_offer.product_id}")["items"]
        assert (row["conversionId"], row["amount"], row["reason"]) == (conversion_id, 2, "manual_approval")
        shown = deployed.ops("earnings list").stdout
        assert all(text in shown for text in (conversion_id, deployed.demo.user.user_id, "manual_approval"))
        declined = deployed.ops(f"earnings approve {conversion_id}", answer="n\n")
        assert (declined.exit_code, "held: manual_approval" in declined.stdout) == (1, True)
        approved = deployed.ops(f"earnings approve {conversion_id} --yes")
        assert "2.00 USD completed, manual_approved" in approved.stdout
        line = deployed.last_journal_line("earning.approved")
        assert (line["conversion_id"], line["audit"]["after"]["status"]) == (conversion_id, "completed")
        again = deployed.ops(f"earnings approve {conversion_id} --yes")
        assert (again.exit_code, "does not wait for a decision" in again.stderr) == (1, True)
        assert deployed.json(f"user {deployed.demo.user.user_id}")["agrees"]

    def test_rejection_needs_a_reason_and_is_part_of_the_story(self, deployed, manual_offer):
        conversion_id = manual_offer.convert()
        assert deployed.ops(f"earnings reject {conversion_id} --yes").exit_code == 2
        line = ("earnings", "reject", conversion_id, "--json", "--reason", "he has two accounts")
        result = deployed.ops("", *line, answer="y\n")
        rejected = json.loads(result.stdout)
        assert (rejected["status"], rejected["approvalStatus"]) == ("cancelled", "rejected")
        assert "held: manual_approval" in result.stderr
        assert deployed.last_journal_line("earning.rejected")["audit"]["reason"] == "he has two accounts"
        story = deployed.ops(f"conversion {conversion_id}").stdout
        assert "operator:arn:aws:" in story
        assert "rejected: he has two accounts" in " ".join(story.split())
        assert [text for text in story.split() if text in {"postback", "decision"}] == ["postback", "decision"]


class TestCatalog:
    @pytest.mark.parametrize(
        ("kind", "key", "ids"),
        [
            ("products", "productId", {"demo-open", "demo-secret"}),
            ("partners", "partnerId", {"demo-get", "demo-post", "demo-flaky"}),
            ("networks", "networkId", {"demo-generic", "demo-clickbank", "demo-buygoods"}),
        ],
    )
    def test_resources_are_listed_and_shown_as_in_the_api(self, deployed, kind, key, ids):
        items = deployed.json(f"{kind} list --status active")["items"]
        assert {item[key] for item in items} == ids
        for name in ids:
            assert deployed.json(f"{kind} show {name}") == deployed.admin.get(f"/api/v1/admin/{kind}/{name}").data
            assert name in deployed.ops(f"{kind} list").stdout
        assert deployed.ops(f"{kind} show nobodys").exit_code == 1

    def test_edit_asks_first_and_shows_the_changes(self, deployed, offer):
        partner_id = offer.add_partner()
        declined = deployed.ops(f"partners edit {partner_id}", "name=Another", answer="n\n")
        assert (declined.exit_code, "Another" in declined.stdout) == (1, True)
        assert deployed.json(f"partners show {partner_id}")["name"] == "Own partner"
        agreed = deployed.ops(f"partners edit {partner_id}", "name=Another", 'events=["Lead","Purchase"]', answer="y\n")
        assert (agreed.exit_code, '["Lead", "Purchase"]' in agreed.stdout) == (0, True)
        events = 'events=["Lead","Purchase","Reject","Trash"]'
        back = deployed.json(f"partners edit {partner_id} --yes", "name=Own partner", events)
        assert (back["changed"], back["resource"]["name"]) == (["events", "name"], "Own partner")

    def test_new_secret_is_shown_once(self, deployed, secret_offer):
        product = deployed.confirmed(f"products edit {secret_offer.product_id} rotatePostbackToken=true")["resource"]
        assert product["postbackToken"].startswith("pbt_")
        line = deployed.last_journal_line("product.updated")
        assert line["audit"]["after"]["postbackTokenHash"] == "***"
        assert product["postbackToken"] not in json.dumps(line)
        network = deployed.ops("networks edit demo-buygoods rotateSecret=true --yes")
        assert "secret (shown this once): " in network.stdout
        assert "postbackToken" not in deployed.json(f"products show {secret_offer.product_id}")

    @pytest.mark.parametrize("change", ["earnUpTo=-1", "status=gone", "currency=dollars and cents", "nmae=x"])
    def test_invalid_edit_gives_an_error_line(self, deployed, change):
        result = deployed.ops("products edit demo-open --yes", change)
        assert (result.exit_code, change.partition("=")[0] in result.stderr) == (1, True)
        assert "Traceback" not in result.stderr


@contextmanager
def without_log_group(deployed) -> Iterator[None]:
    logs, group = deployed.stack.aws.logs, deployed.stack.outputs["OpsLogGroup"]
    logs.delete_log_group(logGroupName=group)
    try:
        yield
    finally:
        logs.create_log_group(logGroupName=group)


class TestJournal:
    """Changes by the command line are written to a log group, as changes through the API are."""

    def test_edit_records_who_changed_what(self, deployed, offer):
        partner_id = offer.add_partner()
        before = deployed.journal()
        deployed.ops(f"partners edit {partner_id} maxPerSecond=50", answer="n\n")
        assert deployed.journal() == before
        deployed.ops(f"partners edit {partner_id} maxPerSecond=50 --yes")
        (line,) = deployed.journal()[len(before) :]
        assert (line["message"], line["service"], line["level"]) == ("audit", "ops", "INFO")
        assert line["audit"]["who"] == "arn:aws:iam::000000000000:root"
        assert (line["audit"]["action"], line["audit"]["resource"]) == ("partner.updated", partner_id)
        assert "maxPerSecond" not in line["audit"]["before"]
        assert line["audit"]["after"]["maxPerSecond"] == "50"

    def test_nothing_is_changed_if_it_cannot_be_recorded(self, deployed, offer):
        partner_id = offer.add_partner()
        with without_log_group(deployed):
            result = deployed.ops(f"partners edit {partner_id} name=Another --yes")
            assert (result.exit_code, "nothing was changed" in result.stderr) == (1, True)
            assert deployed.json(f"partners show {partner_id}")["name"] == "Own partner"
            assert deployed.ops("redrive --dry-run").exit_code == 0

    def test_line_that_is_refused_after_the_change_is_shown_with_the_new_secret(
        self, deployed, secret_offer, monkeypatch
    ):
        monkeypatch.setattr(journal.Journal, "reach", lambda _: None)  # after this, the stream of the day is deleted
        logs, group = deployed.stack.aws.logs, deployed.stack.outputs["OpsLogGroup"]
        for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
            logs.delete_log_stream(logGroupName=group, logStreamName=stream["logStreamName"])
        result = deployed.ops(f"products edit {secret_offer.product_id} rotatePostbackToken=true --yes --json")
        assert (result.exit_code, "could not be recorded" in result.stderr) == (1, True)
        assert json.loads(result.stdout)["resource"]["postbackToken"].startswith("pbt_")
        (kept,) = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
        assert kept["audit"]["action"] == "product.updated"


class TestUser:
    def test_wallets_and_ledger_are_read_consistently(self, deployed, monkeypatch):
        stack, queries = deployed.ops_stack(monkeypatch), []
        stack.dynamodb.meta.events.register(
            "provide-client-params.dynamodb.Query",
            lambda params, **_: queries.append((params["TableName"], params.get("ConsistentRead"))),
        )
        earnings, balances = read_ledger(stack, deployed.demo.user.user_id)
        assert {name for name, _ in queries} == {stack.wallets.name, stack.earnings.name}
        assert all(is_consistent for _, is_consistent in queries)
        assert (len(earnings), [one.agrees for one in balances]) == (balances[0].rows, [True])

    def test_wallet_agrees_with_its_ledger(self, deployed):
        found = deployed.json(f"user {deployed.demo.user.user_id} --limit 1000")
        (usd,) = found["wallets"]
        assert (found["agrees"], usd["balance"]) == (True, usd["ledgerBalance"])
        assert found["user"]["referrerId"] == deployed.demo.referrer.user_id
        assert {one["type"] for one in found["earnings"]} == {"conversion", "reversal"}

    def test_manipulated_wallet_is_reported_loudly(self, deployed):
        user_id, rows = deployed.demo.referrer.user_id, deployed.rows
        (wallet,) = rows.of_user("Wallets", user_id)
        key = {name: wallet[name] for name in ("userId", "currency")}
        rows.set("Wallets", key, balance=wallet["balance"] + 1)
        try:
            result = deployed.ops(f"user {user_id}")
            assert result.exit_code == 1
            assert "THE WALLET AND THE LEDGER DIFFER in USD" in result.stdout
            assert "(+1)" in result.stdout
            assert deployed.json(f"user {user_id}")["agrees"] is False
        finally:
            rows.set("Wallets", key, balance=wallet["balance"])
        assert deployed.ops(f"user {user_id}").exit_code == 0

    def test_user_without_earnings_has_nothing_to_compare(self, deployed):
        found = deployed.json("user nobody")
        assert found == {"user": {"userId": "nobody"}, "agrees": True, "wallets": [], "earnings": []}
