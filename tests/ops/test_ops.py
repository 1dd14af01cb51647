"""The operator's command line, on a stack of its own that has just run the demo."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from local import stack as stacks
from local.client import Client
from local.demo import show_loop
from local.emulator import Emulator
from local.partner_server import PartnerServer
from local.seed import Demo, seed
from local.stack import Stack
from local.workspace import CREDENTIALS, LOCAL, REGION, free_port
from ops import cli, deliveries, journal
from ops import stacks as ops_stacks
from ops.user import audited
from ricochet.delivery.delivery import DeliveryState
from tests.integration.rows import Rows
from tests.waiting import eventually

NOWHERE = "3b241101-e2bb-4255-8caf-4136c566a962"


@dataclass
class Deployment:
    stack: Stack
    demo: Demo
    partners: PartnerServer

    def ops(self, line: str, *more: str, answer: str | None = None) -> Result:
        """The command line as an operator on AWS calls it: with a stack's name, and credentials in the environment."""
        words = [*line.split(), *more, "--stack", self.stack.name, "--region", REGION]
        endpoint = {"AWS_ENDPOINT_URL": self.stack.aws.endpoint_url, "COLUMNS": "120"}
        return CliRunner().invoke(cli.app, words, input=answer, env=CREDENTIALS | endpoint)

    def json(self, line: str, *more: str) -> Any:
        result = self.ops(line, *more, "--json")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return json.loads(result.stdout)

    def agreed(self, line: str) -> Any:
        """What it writes where it asks first: the question and what belongs to it stand elsewhere."""
        declined = self.ops(f"{line} --json", answer="n\n")
        assert (declined.exit_code, declined.stdout, "[y/N]" in declined.stderr) == (1, "", True), declined.output
        result = self.ops(f"{line} --json", answer="y\n")
        assert (result.exit_code, "[y/N]" in result.stderr) == (0, True), result.output
        return json.loads(result.stdout)

    def written_down(self) -> list[dict[str, Any]]:
        """What the command line left in its log group, the oldest first."""
        found = self.stack.aws.logs.filter_log_events(logGroupName=self.stack.outputs["OpsLogGroup"])
        return [json.loads(event["message"]) for event in found["events"]]

    def last_written_down(self, action: str) -> dict[str, Any]:
        line = self.written_down()[-1]
        assert (line["message"], line["audit"]["action"]) == ("audit", action)
        assert line["audit"]["who"].startswith("arn:aws:")
        return line

    def settle(self) -> None:
        """Waits until nothing is retried any more: a partner that forgets what it had fails twice again."""
        eventually(lambda: self.release() or not self.json("deliveries --state retrying")["items"], "the retries")

    def three(self, line: str) -> list[dict[str, Any]]:
        """What the line lists, once it is three."""
        items: list[dict[str, Any]] = self.json(line)["items"]
        return items if len(items) == 3 else []

    def convert(self, product_id: str = "demo-open") -> str:
        """The id of a conversion that is new."""
        click_id = Client(self.stack.api_url, self.demo.user.token).click(product_id).data["clickId"]
        Client(self.stack.api_url).postback(click_id, amount=2, status="completed")
        found: str = self.json(f"conversion {click_id}")["conversion"]["conversionId"]
        return found

    def found(self, monkeypatch: pytest.MonkeyPatch) -> ops_stacks.Stack:
        """The stack as the command line has it."""
        for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": self.stack.aws.endpoint_url}).items():
            monkeypatch.setenv(name, value)
        return ops_stacks.find(self.stack.name, REGION)

    def release(self) -> None:
        """What the schedule does each minute."""
        reply = self.stack.aws.lambda_.invoke(FunctionName=self.stack.function("ReleaseDueDeliveries"), Payload=b"{}")
        assert "FunctionError" not in reply

    @contextmanager
    def without_partners(self) -> Iterator[None]:
        self.settle()
        port = self.partners.port
        self.partners.__exit__()
        try:
            yield
        finally:
            self.partners = PartnerServer(port)
            self.partners.__enter__()


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployment]:
    port = free_port()
    emulator = Emulator(port, LOCAL / "tests" / str(port), keep_state=False)
    partners = PartnerServer()
    try:
        emulator.start()
        partners.__enter__()
        stack = stacks.deploy(emulator, AllowedTargets=f"127.0.0.1:{partners.port}", RetrySchedule="1,1,1")
        demo = seed(stack, partners.url)
        show_loop(stack, demo, partners.url, lambda _: None)
        yield Deployment(stack, demo, partners)
    finally:
        partners.__exit__()
        emulator.stop()
        shutil.rmtree(emulator.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def sale(deployed: Deployment) -> dict[str, Any]:
    """The demo's refunded ClickBank sale."""
    return Rows(deployed.stack).find("Conversions", source="network:demo-clickbank")[0]


def red(report: Any) -> dict[str, dict[str, Any]]:
    return {one["check"]: one for one in report["checks"] if not one["ok"]}


class TestDoctor:
    def test_after_the_demo_all_is_green(self, deployed):
        result = deployed.ops("doctor")
        assert (result.exit_code, "✘" in result.stdout) == (0, False), result.stdout
        assert result.stdout.endswith("all green\n")
        report = deployed.json("doctor")
        assert report["ok"] is True
        assert [one["check"] for one in report["checks"]] == [
            *("stack", "tables", "triggers", "partners", "reach", "postbacks", "deliveries", "queues", "alarms"),
        ]

    def test_where_the_partners_server_is_gone_it_is_red_in_that_line_with_the_right_advice(self, deployed):
        with deployed.without_partners():
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

    def test_of_the_local_stack_it_knows_how_to_bring_the_partners_back(self, deployed, monkeypatch, tmp_path):
        known = tmp_path / "stack.json"
        content = {"aws_endpoint_url": deployed.stack.aws.endpoint_url, "partner_url": deployed.partners.url}
        known.write_text(json.dumps(content | {"stack_name": deployed.stack.name, "region": REGION}))
        monkeypatch.setattr(ops_stacks, "STACK_FILE", known)
        with deployed.without_partners():
            result = CliRunner().invoke(cli.app, ["doctor"])
        assert (result.exit_code, "make start-partners" in result.stdout) == (1, True)

    def test_a_reader_that_is_switched_off_is_found(self, deployed):
        functions = deployed.stack.aws.lambda_
        mappings = functions.list_event_source_mappings(FunctionName=deployed.stack.function("RetryPostbacks"))
        (mapping,) = mappings["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            finding = red(deployed.json("doctor"))["triggers"]
            assert finding["text"].startswith("RetryPostbacksMessages is Disabl")
        finally:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    def test_a_postback_that_could_not_be_taken_in_is_found(self, deployed):
        url = deployed.stack.outputs["ParkedPostbacksQueueUrl"]
        deployed.stack.aws.sqs.send_message(QueueUrl=url, MessageBody="{}")
        try:
            assert red(deployed.json("doctor"))["queues"]["text"].startswith("ParkedPostbacks: 1 ")
        finally:
            deployed.stack.aws.sqs.purge_queue(QueueUrl=url)

    def test_a_product_whose_postbacks_are_all_refused_is_found(self, deployed):
        admin = Client(deployed.stack.api_url, deployed.demo.admin.token)
        app = Client(deployed.stack.api_url, deployed.demo.user.token)
        product_id = admin.create("products", name="Strict", taskUrl="https://example.com", earnUpTo="1").data[
            "productId"
        ]
        click_id = app.click(product_id).data["clickId"]
        Client(deployed.stack.api_url).postback(click_id, token="wrong")
        try:
            finding = red(deployed.json("doctor"))["postbacks"]
            assert finding["command"] == f"receipts --product {product_id}"
            assert deployed.json(finding["command"])["items"][0]["outcome"] == "postback_not_authenticated"
            story = deployed.ops(f"conversion {click_id}")
            assert "none: this click has led to nothing" in story.stdout
            assert "postback_not_authenticated" in story.stdout
        finally:
            admin.patch("products", product_id, status="archived")

    def test_a_stack_that_is_not_there_is_the_only_line(self, deployed):
        line = ["doctor", "--json", "--stack", "nobodys", "--region", REGION]
        env = CREDENTIALS | {"AWS_ENDPOINT_URL": deployed.stack.aws.endpoint_url}
        result = CliRunner().invoke(cli.app, line, env=env)
        (check,) = json.loads(result.stdout)["checks"]
        assert (result.exit_code, check["check"]) == (1, "stack")
        assert "nobodys cannot be reached" in check["text"]

    def test_of_a_stack_that_has_no_api_there_is_one_line_and_no_traceback(self, deployed):
        cloudformation = deployed.stack.aws.cloudformation
        template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
        cloudformation.create_stack(StackName="bare", TemplateBody=template)
        cloudformation.get_waiter("stack_create_complete").wait(StackName="bare", WaiterConfig={"Delay": 1})
        env = CREDENTIALS | {"AWS_ENDPOINT_URL": deployed.stack.aws.endpoint_url}
        try:
            words = ["--stack", "bare", "--region", REGION]
            result = CliRunner().invoke(cli.app, ["doctor", "--json", *words], env=env)
            (check,) = json.loads(result.stdout)["checks"]
            assert (result.exit_code, check["text"]) == (1, "the stack is CREATE_COMPLETE and has no ApiUrl")
            refused = CliRunner().invoke(cli.app, ["user", "anybody", *words], env=env)
            assert (refused.exit_code, "bare is CREATE_COMPLETE and has no" in refused.stderr) == (1, True)
        finally:
            cloudformation.delete_stack(StackName="bare")


class TestConversion:
    def test_the_refunded_sale_is_told_on_one_screen(self, deployed, sale):
        deployed.settle()
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

    def test_it_is_found_by_every_id_that_anybody_has_of_it(self, deployed, sale):
        receipts = deployed.json(f"receipts --click {sale['clickId']}")["items"]
        undashed = sale["clickId"].replace("-", "")
        for known_as in (sale["transactionId"], sale["clickId"], undashed, receipts[0]["receiptId"]):
            found = deployed.json(f"conversion {known_as}")
            assert found["conversion"]["conversionId"] == sale["conversionId"]
        assert [one["outcome"] for one in found["receipts"]] == ["credited", "reversed"]
        assert [one["amount"] for one in found["earnings"]] == [40.25, -40.25]
        assert [one["amount"] for one in found["commissions"]] == [4.025, -4.025]
        assert {one["partnerId"] for one in found["deliveries"]} == {"demo-flaky", "demo-get", "demo-post"}

    def test_an_id_that_goes_with_an_event_is_searched_for(self, deployed):
        key = deployed.demo.networks["generic"]["uniqueKey"]
        query = {"click_id": "theirs", "status": "sale", "payout": "1", "txid": "deep-1", "event": "level-9"}
        Client(deployed.stack.api_url).network_postback(str(key), params=query)
        found = eventually(lambda: deployed.ops("conversion deep-1 --json").stdout, "the index")
        assert json.loads(found)["conversion"]["event"] == "level-9"
        assert deployed.ops("conversion deep-1 --days 0").exit_code == 1

    def test_a_conversion_without_a_click_of_ours_has_its_receipts_too(self, deployed):
        key = deployed.demo.networks["generic"]["uniqueKey"]
        for status in ("lead", "sale"):
            query = {"click_id": "theirs", "status": status, "payout": "1", "txid": "stranger-1"}
            Client(deployed.stack.api_url).network_postback(str(key), params=query)
        found = deployed.json("conversion stranger-1")
        assert [one["outcome"] for one in found["receipts"]] == ["unmatched", "approved"]
        assert (found["click"], found["earnings"], found["referrerId"]) == (None, [], None)

    @pytest.mark.parametrize("unknown", ["CONV-0", "never-heard-of", NOWHERE])
    def test_what_nobody_knows_is_said_so(self, deployed, unknown):
        result = deployed.ops(f"conversion {unknown}")
        assert (result.exit_code, unknown in result.stderr) == (1, True)


class TestListings:
    def test_receipts_are_of_all_sources_and_newest_first_unless_one_is_named(self, deployed):
        items = deployed.json("receipts --limit 100")["items"]
        assert {"network:demo-generic", "network:demo-clickbank", "product:demo-secret"} <= {
            r.get("source") for r in items
        }
        assert [one["receiptId"] for one in items] == sorted((one["receiptId"] for one in items), reverse=True)
        assert len(deployed.json("receipts --limit 1")["items"]) == 1
        refused = deployed.json("receipts --product demo-secret --outcome postback_not_authenticated")["items"]
        assert [one["outcome"] for one in refused] == ["postback_not_authenticated"]
        assert deployed.json("receipts --network demo-generic --day 2020-01-01")["items"] == []

    def test_so_are_those_of_strangers_who_name_no_click_of_ours(self, deployed):
        before = len(deployed.json("receipts --strangers")["items"])
        Client(deployed.stack.api_url).postback(NOWHERE, amount=2, status="completed")
        (newest, *_) = deployed.json("receipts --limit 1")["items"]
        assert (newest["outcome"], newest["clickId"]) == ("click_not_found", NOWHERE)
        for line in ("receipts --outcome click_not_found", "receipts --strangers"):
            assert deployed.json(line)["items"][0] == newest
        assert len(deployed.json("receipts --strangers")["items"]) == before + 1
        assert "a stranger" in deployed.ops("receipts --outcome click_not_found").stdout

    def test_a_receipt_is_shown_whole(self, deployed):
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

    def test_who_follows_deliveries_sees_each_change_once(self, deployed, monkeypatch):
        following = deliveries.Following(deployed.found(monkeypatch), deliveries.Wanted(partner="demo-flaky", limit=1))
        deployed.settle()
        assert len(following.begin()) == 1
        assert following.changes() == []
        app = Client(deployed.stack.api_url, deployed.demo.user.token)
        click_id = app.click("demo-open").data["clickId"]
        Client(deployed.stack.api_url).postback(click_id, amount=1, status="completed")
        seen: list[str] = []

        def is_delivered() -> bool:
            seen.extend(row.state for row in following.changes())
            return "delivered" in seen

        eventually(is_delivered, "the delivery")
        assert seen[0] == "retrying"
        assert seen.count("delivered") == 1

    def test_who_follows_deliveries_sees_more_new_ones_at_once_than_were_listed_to_begin_with(
        self, deployed, monkeypatch
    ):
        deployed.settle()
        following = deliveries.Following(deployed.found(monkeypatch), deliveries.Wanted(limit=1))
        assert len(following.begin()) == 1
        conversions = {deployed.convert() for _ in range(2)}  # with one more, demo-flaky's breaker would open
        for conversion_id in conversions:
            eventually(lambda one=conversion_id: deployed.three(f"deliveries --conversion {one}"), "all of them")
        deployed.settle()
        assert {(row.conversion_id, row.partner_id, row.state) for row in following.changes()} == {
            (conversion_id, partner_id, "delivered")
            for conversion_id in conversions
            for partner_id in ("demo-get", "demo-post", "demo-flaky")
        }
        assert following.changes() == []

    def test_who_follows_one_conversion_sees_its_deliveries_alone(self, deployed, monkeypatch, sale):
        deployed.settle()
        following = deliveries.Following(
            deployed.found(monkeypatch), deliveries.Wanted(conversion=sale["conversionId"], limit=2)
        )
        assert len(following.begin()) == 2
        deployed.convert()
        assert following.changes() == []
        name = f"{sale['conversionId']}/1/demo-get"
        deployed.ops(f"replay delivery {name} --yes")
        (told,) = following.changes()
        assert (told.partner_id, told.version, told.state) == ("demo-get", 1, "retrying")
        deployed.settle()

    def test_health_lists_who_is_in_trouble(self, deployed):
        deployed.settle()
        assert deployed.json("health") == {"items": [], "isAll": True}
        deployed.ops("partners edit demo-post status=paused --yes")
        try:
            (paused,) = deployed.json("health")["items"]
            assert (paused["partnerId"], paused["status"]) == ("demo-post", "paused")
            assert "demo-post" in deployed.ops("health").stdout
        finally:
            deployed.ops("partners edit demo-post status=active --yes")


class TestReplay:
    def test_a_postback_that_was_refused_is_taken_in_once_an_operator_vouches_for_it(self, deployed):
        app, public = Client(deployed.stack.api_url, deployed.demo.user.token), Client(deployed.stack.api_url)
        click_id = app.click("demo-secret").data["clickId"]
        assert public.postback(click_id, token="wrong", amount=3, transactionId="late-1").status == 403
        (refused,) = deployed.json(f"receipts --click {click_id}")["items"]
        declined = deployed.ops(f"replay receipt {refused['receiptId']}", answer="n\n")
        assert (declined.exit_code, "postback_not_authenticated" in declined.stdout) == (1, True)
        assert deployed.ops("conversion late-1").exit_code == 1
        done = deployed.agreed(f"replay receipt {refused['receiptId']}")
        assert (done["outcome"], done["amount"]) == ("credited", 3)
        line = deployed.last_written_down("receipt.replayed")
        assert (line["click_id"], line["audit"]["resource"]) == (click_id, refused["receiptId"])
        assert line["audit"]["before"]["outcome"] == "postback_not_authenticated"
        assert line["audit"]["after"]["outcome"] == "credited"
        again = deployed.ops(f"replay receipt {refused['receiptId']} --yes")
        assert "credited before, repeat now" in again.stdout
        assert [one["amount"] for one in deployed.json("conversion late-1")["earnings"]] == [3]
        assert deployed.ops("replay receipt RCPT-0 --yes").exit_code == 1

    def test_one_that_came_too_late_is_still_too_late(self, deployed):
        app, public = Client(deployed.stack.api_url, deployed.demo.user.token), Client(deployed.stack.api_url)
        click_id = app.click("demo-open").data["clickId"]
        Rows(deployed.stack).set("Clicks", {"clickId": click_id}, expiresAt="2020-01-01T00:00:00.000Z")
        assert public.postback(click_id, amount=1, status="completed").status == 410
        (late,) = deployed.json(f"receipts --click {click_id}")["items"]
        result = deployed.ops(f"replay receipt {late['receiptId']} --yes")
        assert (result.exit_code, "expired" in result.stderr) == (1, True)
        assert "by the time of its arrival" in " ".join(deployed.ops("replay receipt --help").stdout.split())


@pytest.fixture
def parked(deployed) -> Iterator[list[dict[str, Any]]]:
    """Three deliveries of one conversion that were given up, for the partners' server is gone."""
    with deployed.without_partners():
        deployed.convert()
        rows = eventually(lambda: deployed.three("deliveries --state parked"), "the end of all tries")
        eventually(lambda: deployed.json("redrive --dry-run")["messages"] == 3, "their messages")
        yield rows


class TestFollowing:
    def test_who_follows_sees_older_deliveries_being_given_up(self, deployed, monkeypatch):
        stack = deployed.found(monkeypatch)
        with deployed.without_partners():
            conversion_id = deployed.convert()
            eventually(lambda: deployed.three(f"deliveries --conversion {conversion_id}"), "the first attempts")
            all_changes = deliveries.Following(stack, deliveries.Wanted(limit=1))
            parked_ones = deliveries.Following(stack, deliveries.Wanted(state=DeliveryState.PARKED))
            assert len(all_changes.begin()) == 1
            parked_ones.begin()
            seen: dict[str, set[str]] = {"all": set(), "parked": set()}

            def are_given_up() -> bool:
                seen["all"] |= {row.partner_id for row in all_changes.changes() if row.state == "parked"}
                seen["parked"] |= {row.partner_id for row in parked_ones.changes()}
                return all(len(partners) == 3 for partners in seen.values())

            eventually(are_given_up, "the end of all tries")
            eventually(lambda: deployed.json("redrive --dry-run")["messages"] == 3, "their messages")
            late_comer = deliveries.Following(stack, deliveries.Wanted(state=DeliveryState.PARKED, limit=1))
            assert len(late_comer.begin()) == 1
            deployed.ops("redrive --yes")
            assert [row.state for row in late_comer.changes()] == ["retrying"] * 3
            assert [row.state for row in parked_ones.changes()] == ["retrying"] * 3
            assert parked_ones.changes() == []


class TestTellingAnew:
    def test_the_doctor_sees_what_was_given_up_and_says_how_it_is_told_anew(self, deployed, parked):
        found = {one["command"]: one for one in deployed.json("doctor")["checks"] if not one["ok"]}
        assert {"deliveries --partner demo-get --state parked", "redrive"} < found.keys()
        assert "3 deliveries were given up" in found["redrive"]["text"]
        counted = deployed.json("redrive --dry-run")
        assert counted == {"dryRun": True, "messages": 3, "parked": 3}
        assert deployed.ops("redrive", answer="n\n").exit_code == 1
        assert len(deployed.json("deliveries --state parked")["items"]) == 3
        deployed.ops("redrive --yes")

    def test_one_delivery_by_its_name_in_the_list_and_the_rest_from_the_queue(self, deployed, parked):
        name = f"{parked[0]['conversionId']}/1/{parked[0]['partnerId']}"
        assert name in deployed.ops("deliveries --state parked").stdout
        declined = deployed.ops(f"replay delivery {name}", answer="n\n")
        assert (declined.exit_code, "parked" in declined.stdout) == (1, True)
        assert deployed.agreed(f"replay delivery {name}")["state"] == "retrying"
        line = deployed.last_written_down("delivery.replayed")
        assert (line["conversion_id"], line["partner_id"]) == (parked[0]["conversionId"], parked[0]["partnerId"])
        assert (line["audit"]["before"]["state"], line["audit"]["after"]["state"]) == ("parked", "retrying")
        again = deployed.ops(f"replay delivery {name.replace('/', ' ')} --yes")
        assert (again.exit_code, "still being tried" in again.stderr) == (1, True)
        first = deployed.agreed("redrive --limit 1")
        assert first["received"] == 1
        line = deployed.last_written_down("deliveries.redriven")
        assert line["audit"]["result"] == {name: number for name, number in first.items() if name != "dryRun"}
        rest = deployed.ops("redrive", answer="y\n").stdout
        assert "Work off 2 messages?" in rest
        before = deployed.written_down()
        assert deployed.json("redrive --yes")["received"] == 0
        assert deployed.written_down() == before
        assert deployed.json("deliveries --state parked")["items"] == []

    def test_all_of_a_partner_and_a_time_are_counted_first(self, deployed, parked):
        (moment,) = [one["createdAt"] for one in parked if one["partnerId"] == "demo-get"]
        line = f"replay deliveries --partner demo-get --state parked --from {moment} --to {moment}"
        counted = deployed.json(f"{line} --dry-run")
        assert (counted["dryRun"], counted["matched"], counted["replayed"], counted["value"]) == (
            True,
            1,
            0,
            {"USD": 2},
        )
        declined = deployed.ops(line, answer="n\n")
        assert (declined.exit_code, "2.00 USD" in declined.stdout) == (1, True)
        done = deployed.agreed(line)
        assert (done["replayed"], done["complete"]) == (1, True)
        run = deployed.last_written_down("deliveries.replayed")["audit"]
        assert (run["resource"], run["result"]["replayed"]) == ("demo-get", 1)
        (moment,) = [one["createdAt"] for one in parked if one["partnerId"] == "demo-post"]
        other = f"replay deliveries --partner demo-post --state parked --from {moment} --to {moment}"
        assert "1 are due now" in deployed.ops(other, answer="y\n").stdout
        nothing = deployed.ops(line)
        assert (nothing.exit_code, "Tell" in nothing.stdout) == (0, False)
        assert deployed.json(f"{line} --yes")["matched"] == 0
        deployed.ops("redrive --yes")

    def test_what_was_delivered_is_sent_again_under_the_same_id(self, deployed, sale):
        (row,) = [
            one
            for one in deployed.json(f"deliveries --conversion {sale['conversionId']}")["items"]
            if (one["partnerId"], one["version"]) == ("demo-get", 2)
        ]
        at = row["createdAt"]
        line = f"replay deliveries --partner demo-get --state delivered --from {at} --to {at} --yes --json"
        assert json.loads(deployed.ops(line).stdout)["replayed"] == 1
        deployed.release()
        received = deployed.partners.received
        eventually(lambda: row["deliveryId"] in {one.delivery_id for one in received}, "the same once more")

    def test_what_a_paused_partner_missed_is_told_by_the_command_that_ends_the_pause_names(self, deployed):
        deployed.settle()
        deployed.ops("partners edit demo-get status=paused --yes")
        conversion_id = deployed.convert()
        line = f"deliveries --conversion {conversion_id}"
        eventually(lambda: len(deployed.json(line)["items"]) >= 2, "the others' deliveries")
        ended = deployed.ops("partners edit demo-get status=active --yes").stdout
        (command,) = [words for words in ended.splitlines() if words.startswith("make ops")]
        replayed = deployed.ops(command.split('"')[1].partition(" --stack")[0], "--yes", "--json")
        report = json.loads(replayed.stdout)
        told = {one["partnerId"] for one in deployed.json(line)["items"]}
        assert (report["complete"], "demo-get" in told) == (True, True)

    def test_what_makes_no_sense_is_refused_in_a_line(self, deployed):
        line = "replay deliveries --partner {} --state missing --from {} --to {}"
        for words, hint in (
            (line.format("nobodys", "2026-11-01", "2026-11-02"), "no such partner"),
            (line.format("demo-get", "yesterday", "2026-11-02"), "from: must be a time"),
            (line.format("demo-get", "2026-11-02", "2026-11-01"), "from must not be after to"),
            (line.format("demo-get", "2020-01-01", "2020-01-02"), "90 days"),
            ("replay delivery CONV-0 1 demo-get --yes", "no such delivery"),
            ("replay delivery CONV-0 --yes", "name a conversion"),
        ):
            result = deployed.ops(words)
            assert (result.exit_code, hint in result.stderr) == (1, True), result.output


@pytest.fixture
def product_id(deployed) -> Iterator[str]:
    """Of a product whose conversions wait for a person."""
    admin = Client(deployed.stack.api_url, deployed.demo.admin.token)
    fields = {"name": "Careful", "taskUrl": "https://example.com", "earnUpTo": "9", "approval": "manual"}
    product_id = admin.create("products", postbackAuth={"mode": "open"}, **fields).data["productId"]
    yield product_id
    admin.patch("products", product_id, status="archived")


class TestEarnings:
    def test_what_waits_is_listed_and_approved_once(self, deployed, product_id):
        conversion_id = deployed.convert(product_id)
        (row,) = deployed.json(f"earnings list --product {product_id}")["items"]
        assert (row["conversionId"], row["amount"], row["reason"]) == (conversion_id, 2, "manual_approval")
        shown = deployed.ops("earnings list").stdout
        assert all(text in shown for text in (conversion_id, deployed.demo.user.user_id, "manual_approval"))
        declined = deployed.ops(f"earnings approve {conversion_id}", answer="n\n")
        assert (declined.exit_code, "held: manual_approval" in declined.stdout) == (1, True)
        approved = deployed.ops(f"earnings approve {conversion_id} --yes")
        assert "2.00 USD completed, manual_approved" in approved.stdout
        line = deployed.last_written_down("earning.approved")
        assert (line["conversion_id"], line["audit"]["after"]["status"]) == (conversion_id, "completed")
        again = deployed.ops(f"earnings approve {conversion_id} --yes")
        assert (again.exit_code, "waits for nobody" in again.stderr) == (1, True)
        assert deployed.json(f"user {deployed.demo.user.user_id}")["agrees"]

    def test_who_rejects_says_why_and_both_stand_in_the_story(self, deployed, product_id):
        conversion_id = deployed.convert(product_id)
        assert deployed.ops(f"earnings reject {conversion_id} --yes").exit_code == 2
        line = ("earnings", "reject", conversion_id, "--json", "--reason", "he has two accounts")
        result = deployed.ops("", *line, answer="y\n")
        rejected = json.loads(result.stdout)
        assert (rejected["status"], rejected["approvalStatus"]) == ("cancelled", "rejected")
        assert "held: manual_approval" in result.stderr
        assert deployed.last_written_down("earning.rejected")["audit"]["reason"] == "he has two accounts"
        story = deployed.ops(f"conversion {conversion_id}").stdout
        assert "operator:arn:aws:" in story
        assert "rejected: he has two accounts" in " ".join(story.split())
        assert [word for word in story.split() if word in {"postback", "decision"}] == ["postback", "decision"]


class TestCatalog:
    @pytest.mark.parametrize(
        ("kind", "key", "ids"),
        [
            ("products", "productId", {"demo-open", "demo-secret"}),
            ("partners", "partnerId", {"demo-get", "demo-post", "demo-flaky"}),
            ("networks", "networkId", {"demo-generic", "demo-clickbank", "demo-buygoods"}),
        ],
    )
    def test_all_are_listed_and_each_is_shown_as_the_api_shows_it(self, deployed, kind, key, ids):
        items = deployed.json(f"{kind} list --status active")["items"]
        assert {item[key] for item in items} == ids
        admin = Client(deployed.stack.api_url, deployed.demo.admin.token)
        for name in ids:
            assert deployed.json(f"{kind} show {name}") == admin.get(f"/api/v1/admin/{kind}/{name}").data
            assert name in deployed.ops(f"{kind} list").stdout
        assert deployed.ops(f"{kind} show nobodys").exit_code == 1

    def test_an_edit_asks_first_and_shows_what_changed(self, deployed):
        declined = deployed.ops("partners edit demo-get", "name=Another", answer="n\n")
        assert (declined.exit_code, "Another" in declined.stdout) == (1, True)
        assert deployed.json("partners show demo-get")["name"] == "Takes GET"
        agreed = deployed.ops("partners edit demo-get", "name=Another", 'events=["Lead","Purchase"]', answer="y\n")
        assert (agreed.exit_code, '["Lead", "Purchase"]' in agreed.stdout) == (0, True)
        back = deployed.json(
            "partners edit demo-get --yes", "name=Takes GET", 'events=["Lead","Purchase","Reject","Trash"]'
        )
        assert (back["changed"], back["resource"]["name"]) == (["events", "name"], "Takes GET")

    def test_a_secret_is_shown_the_one_time_it_is_new(self, deployed):
        product = deployed.agreed("products edit demo-secret rotatePostbackToken=true")["resource"]
        assert product["postbackToken"].startswith("pbt_")
        line = deployed.last_written_down("product.updated")
        assert line["audit"]["after"]["postbackTokenHash"] == "***"
        assert product["postbackToken"] not in json.dumps(line)
        network = deployed.ops("networks edit demo-buygoods rotateSecret=true --yes")
        assert "secret (shown this once): " in network.stdout
        assert "postbackToken" not in deployed.json("products show demo-secret")

    @pytest.mark.parametrize("change", ["earnUpTo=-1", "status=gone", "currency=dollars and cents", "nmae=x"])
    def test_what_the_api_would_refuse_is_refused_in_a_line(self, deployed, change):
        result = deployed.ops("products edit demo-open --yes", change)
        assert (result.exit_code, change.partition("=")[0] in result.stderr) == (1, True)
        assert "Traceback" not in result.stderr


class TestJournal:
    """What the command line changes is written down, as what is changed through the API is."""

    def test_an_edit_says_who_changed_what(self, deployed):
        before = deployed.written_down()
        deployed.ops("partners edit demo-get maxPerSecond=50", answer="n\n")
        assert deployed.written_down() == before
        deployed.ops("partners edit demo-get maxPerSecond=50 --yes")
        (line,) = deployed.written_down()[len(before) :]
        assert (line["message"], line["service"], line["level"]) == ("audit", "ops", "INFO")
        assert line["audit"]["who"] == "arn:aws:iam::000000000000:root"
        assert (line["audit"]["action"], line["audit"]["resource"]) == ("partner.updated", "demo-get")
        assert "maxPerSecond" not in line["audit"]["before"]
        assert line["audit"]["after"]["maxPerSecond"] == "50"
        deployed.ops("partners edit demo-get maxPerSecond=null --yes")

    def test_where_nothing_can_be_written_down_nothing_is_changed(self, deployed):
        logs, group = deployed.stack.aws.logs, deployed.stack.outputs["OpsLogGroup"]
        logs.delete_log_group(logGroupName=group)
        try:
            result = deployed.ops("partners edit demo-get name=Another --yes")
            assert (result.exit_code, "nothing was changed" in result.stderr) == (1, True)
            assert deployed.json("partners show demo-get")["name"] == "Takes GET"
            assert deployed.ops("redrive --dry-run").exit_code == 0
        finally:
            logs.create_log_group(logGroupName=group)

    def test_a_line_that_is_refused_after_the_change_is_shown_and_so_is_the_new_secret(self, deployed, monkeypatch):
        monkeypatch.setattr(journal.Journal, "reach", lambda _: None)  # the stream of the day is gone after that
        logs, group = deployed.stack.aws.logs, deployed.stack.outputs["OpsLogGroup"]
        for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
            logs.delete_log_stream(logGroupName=group, logStreamName=stream["logStreamName"])
        result = deployed.ops("products edit demo-secret rotatePostbackToken=true --yes --json")
        assert (result.exit_code, "could not be written down" in result.stderr) == (1, True)
        assert json.loads(result.stdout)["resource"]["postbackToken"].startswith("pbt_")
        (kept,) = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
        assert kept["audit"]["action"] == "product.updated"


class TestUser:
    def test_wallets_and_ledger_are_both_read_as_they_are_now(self, deployed, monkeypatch):
        stack, asked = deployed.found(monkeypatch), []
        stack.dynamodb.meta.events.register(
            "provide-client-params.dynamodb.Query",
            lambda params, **_: asked.append((params["TableName"], params.get("ConsistentRead"))),
        )
        earnings, balances = audited(stack, deployed.demo.user.user_id)
        assert {name for name, _ in asked} == {stack.wallets.name, stack.earnings.name}
        assert all(is_consistent for _, is_consistent in asked)
        assert (len(earnings), [one.agrees for one in balances]) == (balances[0].rows, [True])

    def test_a_wallet_agrees_with_its_ledger(self, deployed):
        found = deployed.json(f"user {deployed.demo.user.user_id} --limit 1000")
        (usd,) = found["wallets"]
        assert (found["agrees"], usd["balance"]) == (True, usd["ledgerBalance"])
        assert found["user"]["referrerId"] == deployed.demo.referrer.user_id
        assert {one["type"] for one in found["earnings"]} == {"conversion", "reversal"}

    def test_one_that_was_tampered_with_is_found_out_loudly(self, deployed):
        user_id, rows = deployed.demo.referrer.user_id, Rows(deployed.stack)
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

    def test_of_a_user_who_never_earned_there_is_nothing_to_compare(self, deployed):
        found = deployed.json("user nobody")
        assert found == {"user": {"userId": "nobody"}, "agrees": True, "wallets": [], "earnings": []}
