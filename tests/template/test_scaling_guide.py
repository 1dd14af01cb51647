"""The numbers of docs/scaling.md against the template, the code and the benchmark's prices."""

import re
from functools import reduce

import pytest

from ricochet.delivery import delivery, fan_out
from ricochet.ledger import conversion, receipt
from tests.bench import costs
from tests.guides import text
from tests.template.cloudformation import load

GUIDE = text("scaling.md")
TEMPLATE = load()
SETTINGS = re.findall(r"^\| `(\w+)` `([^`]+)` \| (\d+) \|", GUIDE, re.MULTILINE)


def rows_after(heading):
    """Return the cells of the table with this first heading."""
    table = GUIDE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert rows
    return rows


@pytest.mark.parametrize(("resource", "path", "value"), SETTINGS)
def test_a_setting_is_what_the_guide_says(resource, path, value):
    top = TEMPLATE.document["Globals"] if resource == "Globals" else TEMPLATE.resources[resource]["Properties"]
    assert reduce(lambda inner, name: inner[name], path.split("."), top) == int(value)


def test_the_guide_lists_settings():
    assert len(SETTINGS) >= 9


def test_messages_in_flight_are_those_of_all_queues_with_a_reader():
    sources = [source for _, source in TEMPLATE.events("SQS").values()]
    invocations = sum(source["ScalingConfig"]["MaximumConcurrency"] for source in sources)
    assert {source["BatchSize"] for source in sources} == {10}
    assert len(sources) == 3
    assert f"at most {invocations * 10} in flight ({invocations} invocations of 10 for three queues)" in GUIDE


def test_the_guides_price_of_alarms_is_that_of_their_metrics():
    alarms = TEMPLATE.of_type("CloudWatch::Alarm").values()
    metrics = sum(sum("MetricStat" in one for one in alarm.get("Metrics", [])) or 1 for alarm in alarms)
    assert f"{len(alarms)} alarms, {metrics} metrics, {metrics * 0.10:.2f} dollars" in GUIDE


def test_the_guide_knows_the_limits_in_the_code():
    assert f"{fan_out.THREADS} sends in an invocation, {fan_out.THREADS_PER_PARTNER} of them to one partner" in GUIDE
    assert (
        f"a day's shard of unidentified senders in Receipts (`bySourceDay`), of {receipt.UNIDENTIFIED_SHARDS} |"
        in GUIDE
    )
    assert f"(`byDay`), of {conversion.DAY_SHARDS} |" in GUIDE
    assert f"(`byPartner`), of {delivery.SHARDS} |" in GUIDE
    assert f"(`byState`), of {delivery.SHARDS};" in GUIDE


def test_prices_and_assumptions_are_those_of_the_benchmark():
    assert {name: float(value) for name, value in rows_after("price for a million")} == costs.PRICES
    assert {name: float(value) for name, value in rows_after("assumption")} == costs.ASSUMED


def test_the_sums_of_the_guide_are_right():
    *steps, _ = rows_after("step")
    measured = {name: costs.Measured(*map(float, cells[1:-1])) for name, *cells in steps}
    assert set(measured) == set(costs.STEPS)
    said, again = rows_after("step"), [line.strip("|").split("|") for line in list(costs.table(measured))[2:]]
    for row, (name, *cells) in zip(said, again, strict=True):
        assert row[0] == name.strip()
        assert row[1:-1] == [cell.strip() for cell in cells[:-1]]
        assert float(row[-1]) == pytest.approx(float(cells[-1]), abs=0.011)  # units are printed rounded


def test_a_step_costs_the_sum_of_its_parts():
    kind = costs.Kind(api_requests=1, invocations=1, megabytes=512, queue_requests=2, waits_for_partner=True)
    used = costs.Measured(write_units=2, read_units=4, calls=10, log_bytes=1300)
    gb_seconds = (15 + 10 * 8 + 300) / 1000 / 2
    expected = 1.00 + 0.20 + gb_seconds * 13.3334 + 2 * 0.625 + 4 * 0.125 + 2 * 0.40 + 2 * 0.50 + 0.05 * 5.00
    assert costs.dollars(kind, used) == pytest.approx(expected)


def test_the_number_of_steps_depends_on_conversions_and_partners():
    shares = costs.often(0.2, 10)
    assert shares == pytest.approx(
        {"click": 1, "visit": 1, "postback": 0.2, "distribution": 0.2, "delivery": 2, "commission": 0.2, "retry": 0.04}
    )
    total = {rate: float(list(costs.table(_ones(), rate, 3))[-1].split("|")[-2]) for rate in (0, 0.05, 0.5)}
    assert total[0] < total[0.05] < total[0.5]


@pytest.mark.parametrize(
    ("step", "function"),
    [
        ("click", "CreateClick"),
        ("visit", "TrackClick"),
        ("postback", "ReceivePostback"),
        ("distribution", "DistributeConversions"),
        ("delivery", "DistributeConversions"),
        ("commission", "CreditReferrals"),
        ("retry", "RetryDeliveries"),
    ],
)
def test_a_step_has_the_memory_of_its_function(step, function):
    memory = TEMPLATE.functions()[function].get("MemorySize", TEMPLATE.globals["MemorySize"])
    assert costs.STEPS[step].megabytes == memory


def _ones():
    return dict.fromkeys(costs.STEPS, costs.Measured(1, 1, 1, 1))
