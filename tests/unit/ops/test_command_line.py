"""What operators type, and what they see."""

import io
import json
from contextlib import nullcontext
from decimal import Decimal

import pytest
import typer
from typer.testing import CliRunner

from ops import cli, durations, redrive, render, replay, stacks
from ops.catalog import difference, parse_changes
from ops.doctor.facts import OpenDeliveries
from ops.doctor.observe import refusal_outcomes
from ops.health import partners_needing_attention
from ops.listing import every
from ops.stacks import OperatorError, Stack
from ops.target import Target
from ricochet.clicks.manage_products import ProductInput
from ricochet.delivery.delivery import DeliveryState
from ricochet.delivery.partners.manage_partners import PartnerInput
from ricochet.delivery.partners.partner_health import PARTNER, Breaker, PartnerHealth
from ricochet.delivery.redrive_deliveries import RedriveOutcome
from ricochet.delivery.settings import PartnerSettings
from ricochet.dynamodb.paging import Page
from ricochet.intake.settings import NetworkPostbackSettings
from ricochet.ledger.settings import DecisionSettings
from ricochet.values.lifecycle import Lifecycle
from tests.template.cloudformation import load
from tests.unit.builders import IN_AN_HOUR, NOON, a_delivery, a_partner

COMMANDS = (
    "doctor",
    "conversion",
    "receipts",
    "deliveries",
    "user",
    "health",
    "products",
    "partners",
    "networks",
    "earnings",
    "replay",
    "replay receipt",
    "replay delivery",
    "replay deliveries",
    "redrive",
)

TABLES = (
    *("clicks", "conversions", "deliveries", "earnings", "health", "networks"),
    *("partners", "products", "receipts", "users", "wallets"),
)


class TestChoosingAStack:
    @pytest.mark.parametrize(
        "line", ["--stack a --region b doctor --json", "doctor --stack a --json --region b", "doctor --json --stack=a"]
    )
    def test_stack_may_be_named_anywhere_in_the_line(self, line):
        chosen = cli.stack_options_first(line.split())
        assert chosen[-2:] == ["doctor", "--json"]
        assert chosen[0].startswith("--stack")

    def test_stack_option_without_a_value_is_left_to_the_parser(self):
        assert cli.stack_options_first(["doctor", "--stack"]) == ["--stack", "doctor"]

    def test_missing_stack_gives_a_hint_and_no_traceback(self, monkeypatch, tmp_path):
        monkeypatch.setattr(stacks, "STACK_FILE", tmp_path / "none.json")
        result = CliRunner().invoke(cli.app, ["health"])
        assert (result.exit_code, result.stdout) == (1, "")
        assert "`make up` starts one" in result.stderr

    def test_missing_stack_is_a_red_line_of_the_doctor(self, monkeypatch, tmp_path):
        monkeypatch.setattr(stacks, "STACK_FILE", tmp_path / "none.json")
        result = CliRunner().invoke(cli.app, ["doctor", "--json"])
        (check,) = json.loads(result.stdout)["checks"]
        assert (result.exit_code, check["check"], check["ok"]) == (1, "stack", False)

    def test_suggested_command_names_the_same_stack(self):
        assert Target(None, None).command("health") == 'make ops ARGS="health"'
        assert Target("prod", "eu-west-1").command("health") == 'make ops ARGS="health --stack prod --region eu-west-1"'

    @pytest.mark.parametrize("kind", [NetworkPostbackSettings, PartnerSettings, DecisionSettings])
    def test_template_has_every_output_and_parameter_that_use_cases_need(self, kind):
        template = load()
        outputs = dict.fromkeys(template.document["Outputs"], "a value")
        parameters = {name: str(one.get("Default", "")) for name, one in template.parameters.items()}
        stack = Stack("s", "CREATE_COMPLETE", outputs, parameters, session=None)
        assert isinstance(stack.settings(kind), kind)

    @pytest.mark.parametrize("name", TABLES)
    def test_template_has_an_output_for_each_table(self, name):
        outputs = {output: output for output in load().document["Outputs"]}
        stack = Stack("s", "CREATE_COMPLETE", outputs, {}, session=None)
        stack.__dict__["dynamodb"] = None
        assert getattr(stack, name).name.lower() == f"{name}table"

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_help(self, command):
        result = CliRunner().invoke(cli.app, [*command.split(), "--help"])
        assert result.exit_code == 0
        assert "Usage" in result.stdout

    def test_missing_output_is_an_operator_error(self):
        stack = Stack("s", "ROLLBACK_COMPLETE", {}, {}, session=None)
        for read in (lambda: stack.api_url, lambda: stack.output("OpsLogGroup")):
            with pytest.raises(OperatorError, match="s is ROLLBACK_COMPLETE and has no"):
                read()


class TestConfirmation:
    @pytest.mark.parametrize(
        ("answer", "is_confirmed"), [("y\n", True), (" YES \n", True), ("n\n", False), ("", False)]
    )
    def test_only_yes_confirms_and_the_question_may_go_to_stderr(self, capsys, monkeypatch, answer, is_confirmed):
        for stderr in (False, True):
            monkeypatch.setattr("sys.stdin", io.StringIO(answer))
            with nullcontext() if is_confirmed else pytest.raises(typer.Abort):
                render.confirm("Is it?", stderr=stderr)
            out, err = capsys.readouterr()
            assert (out, err) == (("", "Is it? [y/N]: ") if stderr else ("Is it? [y/N]: ", ""))


class TestEdits:
    def test_plain_values_are_texts_and_lists_are_json(self):
        patch = parse_changes(
            ["name=A = B", 'events=["Purchase"]', "maxPerSecond=2.50", "bodyTemplate=null", "replyUpdatesStatus=true"],
            PartnerInput,
        )
        assert patch == {
            "name": "A = B",
            "events": ["Purchase"],
            "maxPerSecond": "2.50",
            "bodyTemplate": None,
            "replyUpdatesStatus": "true",
        }
        checked = PartnerInput.model_validate({"postbackUrl": "https://a.example"} | patch)
        assert (checked.max_per_second, checked.reply_updates_status) == (Decimal("2.5"), True)

    def test_field_may_be_named_in_snake_case(self):
        assert parse_changes(["max_per_second=2"], PartnerInput) == {"maxPerSecond": "2"}

    def test_numbers_in_json_stay_exact(self):
        patch = parse_changes(['postbackAuth={"x": 0.1}'], ProductInput)
        assert patch == {"postbackAuth": {"x": Decimal("0.1")}}

    @pytest.mark.parametrize(
        ("change", "hint"),
        [("name", "FIELD=VALUE"), ("naem=x", "did you mean name?"), ("events=[Purchase", "JSON"), ("=x", "field")],
    )
    def test_invalid_change_is_refused_with_a_hint(self, change, hint):
        with pytest.raises(OperatorError, match=hint.replace("?", r"\?")):
            parse_changes([change], PartnerInput)

    def test_changes_are_listed_with_before_and_after(self):
        before = {"name": "A", "status": "active", "updatedAt": NOON}
        after = {"name": "A", "status": "paused", "updatedAt": IN_AN_HOUR, "events": ["Lead"]}
        assert difference(before, after) == [("events", "", '["Lead"]'), ("status", "active", "paused")]


class TestOutput:
    def test_ids_are_never_cut_off(self, capsys):
        an_id, address = "X" * render.MAX_ID_WIDTH, "https://a.example/" + "z" * 200
        render.table(("id", "where", "why"), [(an_id, address, "because " * 20)], "nothing")
        out = capsys.readouterr().out
        assert an_id in out
        assert (out.count("z"), out.count("because")) == (200, 20)

    def test_lines_get_longer_if_even_the_ids_do_not_fit(self, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        ids = [letter * 36 for letter in "abc"]
        render.table(("at", "one", "two", "three", "why"), [("11-21 22:20:11.001", *ids, "so it is " * 4)], "nothing")
        out = capsys.readouterr().out
        assert all(text in out for text in (*ids, "11-21 22:20:11.001"))
        assert out.count("so it is") == 4

    def test_progress_is_shown_on_a_terminal_and_not_to_scripts(self, capfd, monkeypatch):
        for is_terminal in (False, True):
            monkeypatch.setenv("FORCE_COLOR", "1" if is_terminal else "")
            with render.progress("working", 2) as advance:
                advance(2)
            out, err = capfd.readouterr()
            assert (out, "working" in err, "2/2" in err) == ("", is_terminal, is_terminal)

    def test_square_brackets_in_data_are_shown_unchanged(self, capsys):
        render.table(("a", "b"), [("[red]x[/red]", "[/]")], "nothing")
        render.print_line("[bold]")
        out = capsys.readouterr().out
        assert all(text in out for text in ("[red]x[/red]", "[/]", "[bold]"))

    def test_empty_table_shows_its_text(self, capsys):
        render.table(("a",), [], "no postbacks")
        assert capsys.readouterr().out == "no postbacks\n"

    def test_amounts_are_json_numbers_and_other_types_are_refused(self, capsys):
        render.show_json({"amount": Decimal("2.5")})
        assert json.loads(capsys.readouterr().out) == {"amount": 2.5}
        with pytest.raises(TypeError):
            render.show_json({"body": b""})

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(-3, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172_800, "2 d")],
    )
    def test_durations_use_the_largest_unit_that_gives_at_least_two(self, seconds, text):
        assert durations.of(seconds) == text


class TestReplayAndRedrive:
    @pytest.mark.parametrize("line", ["CONV-1 2 acme", "CONV-1/2/acme"])
    def test_delivery_is_named_by_three_arguments_or_by_its_listed_name(self, line):
        assert replay.parse_delivery_name(line.split()) == ("CONV-1", "2", "acme")

    @pytest.mark.parametrize("line", ["CONV-1", "CONV-1 2", "CONV-1/2/acme/now"])
    def test_other_numbers_of_name_parts_are_refused(self, line):
        with pytest.raises(OperatorError, match="name a conversion, a version and a partner"):
            replay.parse_delivery_name(line.split())

    def test_every_redrive_outcome_is_explained(self):
        assert set(redrive.EXPLANATIONS) == set(RedriveOutcome)


def test_long_listing_is_read_page_by_page_and_only_as_far_as_needed():
    cursors = []

    def page_of(limit, cursor):
        cursors.append(cursor)
        return Page([len(cursors)], f"after {len(cursors)}" if len(cursors) < 3 else None)

    listing = every(page_of)
    assert (next(listing), cursors) == (1, [None])
    assert (list(listing), cursors) == ([2, 3], [None, "after 1", "after 2"])


def test_every_refusal_is_recognized_by_its_outcome():
    assert {"postback_not_authenticated", "click_expired", "invalid_amount", "unknown_status"} < refusal_outcomes()
    assert refusal_outcomes().isdisjoint(
        {"credited", "held", "pending", "reversed", "ignored", "only_receipt", "queue_refused"}
    )


class TestPartnersNeedingAttention:
    def test_healthy_and_archived_partners_are_not_listed(self):
        healthy = PartnerHealth(kind=PARTNER, subject="part_1", updated_at=NOON, ttl=0)
        assert (
            partners_needing_attention(OpenDeliveries(partners=(a_partner(),), health={"part_1": healthy}), NOON) == []
        )
        archived = a_partner(status=Lifecycle.ARCHIVED)
        parked = (a_delivery(state=DeliveryState.PARKED),)
        assert partners_needing_attention(OpenDeliveries(partners=(archived,), parked=parked), NOON) == []

    def test_paused_and_failing_partners_and_those_with_parked_deliveries_are_listed(self):
        paused = a_partner(partner_id="paused", status=Lifecycle.PAUSED, paused_at=NOON, pause_reason="410 Gone")
        fails = PartnerHealth(
            kind=PARTNER, subject="fails", updated_at=NOON, ttl=0, failures=2, breaker=Breaker.OPEN, open_until=NOON
        )
        found = OpenDeliveries(
            retrying=(a_delivery(), a_delivery()),
            parked=(a_delivery(state=DeliveryState.PARKED),),
            partners=(paused, a_partner(partner_id="fails"), a_partner()),
            health={"fails": fails},
        )
        shown = [one.to_json() for one in partners_needing_attention(found, NOON)]
        assert [one["partnerId"] for one in shown] == ["fails", "part_1", "paused"]
        assert (shown[0]["breaker"], shown[0]["failures"], shown[0]["openUntil"]) == ("open", 2, NOON)
        assert (shown[1]["retrying"], shown[1]["parked"]) == (2, 1)
        assert shown[2]["pauseReason"] == "410 Gone"
