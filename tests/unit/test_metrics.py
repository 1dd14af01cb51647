"""The code emits exactly the listed metrics."""

import ast
import re
from pathlib import Path

import pytest
from aws_lambda_powertools.metrics import MetricUnit

from ricochet.metrics import Metric

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("layers/ricochet/ricochet", "functions")
    for path in (ROOT / folder).rglob("*.py")
    if path.name != "metrics.py"
)


def nodes(kind):
    return [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kind)
    ]


def emitted() -> set[str]:
    return {
        node.attr for node in nodes(ast.Attribute) if isinstance(node.value, ast.Name) and node.value.id == "Metric"
    }


def test_exactly_the_listed_metrics_are_emitted():
    assert emitted() == set(Metric.__members__)


def test_only_listed_metrics_are_counted():
    counting = {"count", "measure", "Measurement"}
    counted = [node.args[0] for node in nodes(ast.Call) if getattr(node.func, "id", "") in counting]
    assert len(counted) > 10
    assert not [ast.unparse(given) for given in counted if isinstance(given, (ast.Constant, ast.JoinedStr))]
    assert not [
        path.name
        for path in SOURCES
        if path.name != "telemetry.py" and re.search(r"add_metric|single_metric", path.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("metric", Metric, ids=lambda metric: metric.title)
def test_a_metric_has_the_same_name_in_cloudwatch_as_in_code(metric):
    assert metric.title == "".join(word.capitalize() for word in metric.name.split("_"))


def test_the_only_dimensions_are_currency_and_network():
    assert {metric.dimension for metric in Metric} == {"", "currency", "network"}


def test_all_units_are_known_to_cloudwatch():
    assert {metric.unit for metric in Metric} <= {unit.value for unit in MetricUnit}
