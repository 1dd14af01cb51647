"""What operators type, and how it is shown to them."""

import io
import json
from contextlib import nullcontext
from decimal import Decimal

import pytest
import typer
from typer.testing import CliRunner

from ops import cli, durations, redrive, render, replay, stacks
from ops.catalog import difference, parse_changes
from ops.examine import refusals
from ops.facts import OpenDeliveries
from ops.health import troubles
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


class TestChoosingAStack:
    @pytest.mark.parametrize(
        "line", ["--stack a --region b doctor --json", "doctor --stack a --json --region b", "doctor --json --stack=a"]
    )
    def test_the_stack_may_be_named_anywhere_in_the_line(self, line):
        chosen = cli.first(line.split())
        assert chosen[-2:] == ["doctor", "--json"]
        assert chosen[0].startswith("--stack")

    def test_an_option_without_its_value_is_left_for_the_parser_to_complain_of(self):
        assert cli.first(["doctor", "--stack"]) == ["--stack", "doctor"]

    def test_without_a_stack_there_is_a_hint_and_no_traceback(self, monkeypatch, tmp_path):
        monkeypatch.setattr(stacks, "STACK_FILE", tmp_path / "none.json")
        result = CliRunner().invoke(cli.app, ["health"])
        assert (result.exit_code, result.stdout) == (1, "")
        assert "`make up` starts one" in result.stderr

    def test_to_the_doctor_a_missing_stack_is_a_red_line(self, monkeypatch, tmp_path):
        monkeypatch.setattr(stacks, "STACK_FILE", tmp_path / "none.json")
        result = CliRunner().invoke(cli.app, ["doctor", "--json"])
        (check,) = json.loads(result.stdout)["checks"]
        assert (result.exit_code, check["check"], check["ok"]) == (1, "stack", False)

    def test_a_command_to_go_on_with_names_the_same_stack(self):
        assert Target(None, None).command("health") == 'make ops ARGS="health"'
        assert Target("prod", "eu-west-1").command("health") == 'make ops ARGS="health --stack prod --region eu-west-1"'

    @pytest.mark.parametrize("kind", [NetworkPostbackSettings, PartnerSettings, DecisionSettings])
    def test_the_templates_outputs_and_parameters_are_all_that_use_cases_need(self, kind):
        template = load()
        outputs = dict.fromkeys(template.document["Outputs"], "it")
        parameters = {name: str(one.get("Default", "")) for name, one in template.parameters.items()}
        stack = Stack("s", "CREATE_COMPLETE", outputs, parameters, session=None)
        assert isinstance(stack.settings(kind), kind)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_explains_itself(self, command):
        result = CliRunner().invoke(cli.app, [*command.split(), "--help"])
        assert result.exit_code == 0
        assert "Usage" in result.stdout

    def test_what_a_stack_does_not_say_yet_is_an_operators_problem_and_no_traceback(self):
        stack = Stack("s", "ROLLBACK_COMPLETE", {}, {}, session=None)
        for ask in (lambda: stack.api_url, lambda: stack.output("OpsLogGroup")):
            with pytest.raises(OperatorError, match="s is ROLLBACK_COMPLETE and has no"):
                ask()


class TestAsking:
    @pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), (" YES \n", True), ("n\n", False), ("", False)])
    def test_only_a_yes_goes_on_and_the_question_may_stay_out_of_the_output(self, capsys, monkeypatch, answer, goes_on):
        for stderr in (False, True):
            monkeypatch.setattr("sys.stdin", io.StringIO(answer))
            with nullcontext() if goes_on else pytest.raises(typer.Abort):
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

    def test_a_field_may_be_named_as_python_does(self):
        assert parse_changes(["max_per_second=2"], PartnerInput) == {"maxPerSecond": "2"}

    def test_numbers_inside_of_json_stay_exact(self):
        patch = parse_changes(['postbackAuth={"x": 0.1}'], ProductInput)
        assert patch == {"postbackAuth": {"x": Decimal("0.1")}}

    @pytest.mark.parametrize(
        ("words", "hint"),
        [("name", "FIELD=VALUE"), ("naem=x", "did you mean name?"), ("events=[Purchase", "JSON"), ("=x", "field")],
    )
    def test_what_makes_no_sense_is_refused_with_a_hint(self, words, hint):
        with pytest.raises(OperatorError, match=hint.replace("?", r"\?")):
            parse_changes([words], PartnerInput)

    def test_what_changed_is_told_with_before_and_after(self):
        before = {"name": "A", "status": "active", "updatedAt": NOON}
        after = {"name": "A", "status": "paused", "updatedAt": IN_AN_HOUR, "events": ["Lead"]}
        assert difference(before, after) == [("events", "", '["Lead"]'), ("status", "active", "paused")]


class TestShowing:
    def test_no_id_is_ever_cut_off(self, capsys):
        an_id, address = "X" * render.LONGEST_WORD, "https://a.example/" + "z" * 200
        render.table(("id", "where", "why"), [(an_id, address, "because " * 20)], "nothing")
        out = capsys.readouterr().out
        assert an_id in out
        assert (out.count("z"), out.count("because")) == (200, 20)

    def test_where_ids_alone_need_more_room_than_there_is_lines_are_longer(self, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        ids = [letter * 36 for letter in "abc"]
        render.table(("at", "one", "two", "three", "why"), [("11-21 22:20:11.001", *ids, "so it is " * 4)], "nothing")
        out = capsys.readouterr().out
        assert all(text in out for text in (*ids, "11-21 22:20:11.001"))
        assert out.count("so it is") == 4

    def test_progress_is_shown_to_who_watches_and_not_to_scripts(self, capfd, monkeypatch):
        for is_watched in (False, True):
            monkeypatch.setenv("FORCE_COLOR", "1" if is_watched else "")
            with render.progress("working", 2) as told:
                told(2)
            out, err = capfd.readouterr()
            assert (out, "working" in err, "2/2" in err) == ("", is_watched, is_watched)

    def test_brackets_in_what_came_from_outside_are_shown_as_they_are(self, capsys):
        render.table(("a", "b"), [("[red]x[/red]", "[/]")], "nothing")
        render.say("[bold]")
        out = capsys.readouterr().out
        assert all(text in out for text in ("[red]x[/red]", "[/]", "[bold]"))

    def test_a_table_without_rows_says_so(self, capsys):
        render.table(("a",), [], "nothing came")
        assert capsys.readouterr().out == "nothing came\n"

    def test_amounts_are_numbers_in_json_and_nothing_else_is_guessed(self, capsys):
        render.show_json({"amount": Decimal("2.5")})
        assert json.loads(capsys.readouterr().out) == {"amount": 2.5}
        with pytest.raises(TypeError):
            render.show_json({"body": b""})

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(-3, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172_800, "2 d")],
    )
    def test_durations_are_said_in_the_largest_unit_of_which_there_are_two(self, seconds, text):
        assert durations.of(seconds) == text


class TestTellingAnew:
    @pytest.mark.parametrize("line", ["CONV-1 2 acme", "CONV-1/2/acme"])
    def test_a_delivery_is_named_in_three_words_or_in_the_one_that_lists_show(self, line):
        assert replay.key_of(line.split()) == ("CONV-1", "2", "acme")

    @pytest.mark.parametrize("line", ["CONV-1", "CONV-1 2", "CONV-1/2/acme/now"])
    def test_any_other_number_of_words_names_none(self, line):
        with pytest.raises(OperatorError, match="name a conversion, a version and a partner"):
            replay.key_of(line.split())

    def test_every_outcome_of_a_redrive_is_explained(self):
        assert set(redrive.MEANING) == set(RedriveOutcome)


def test_a_long_listing_is_read_page_by_page_and_only_as_far_as_it_is_wanted():
    asked = []

    def page_of(limit, cursor):
        asked.append(cursor)
        return Page([len(asked)], f"after {len(asked)}" if len(asked) < 3 else None)

    listing = every(page_of)
    assert (next(listing), asked) == (1, [None])
    assert (list(listing), asked) == ([2, 3], [None, "after 1", "after 2"])


def test_every_refusal_is_known_by_its_outcome():
    assert {"postback_not_authenticated", "click_expired", "invalid_amount", "unknown_status"} < refusals()
    assert refusals().isdisjoint(
        {"credited", "held", "pending", "reversed", "ignored", "only_receipt", "queue_refused"}
    )


class TestPartnersInTrouble:
    def test_healthy_and_archived_partners_are_not_listed(self):
        well = PartnerHealth(kind=PARTNER, subject="part_1", updated_at=NOON, ttl=0)
        assert troubles(OpenDeliveries(partners=(a_partner(),), health={"part_1": well}), NOON) == []
        gone = a_partner(status=Lifecycle.ARCHIVED)
        parked = (a_delivery(state=DeliveryState.PARKED),)
        assert troubles(OpenDeliveries(partners=(gone,), parked=parked), NOON) == []

    def test_a_paused_one_one_that_fails_and_one_with_parked_deliveries_are(self):
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
        shown = [one.to_json() for one in troubles(found, NOON)]
        assert [one["partnerId"] for one in shown] == ["fails", "part_1", "paused"]
        assert (shown[0]["breaker"], shown[0]["failures"], shown[0]["openUntil"]) == ("open", 2, NOON)
        assert (shown[1]["retrying"], shown[1]["parked"]) == (2, 1)
        assert shown[2]["pauseReason"] == "410 Gone"
