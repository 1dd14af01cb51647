"""Logs and metrics, the same in every function."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterable
from functools import partial

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from ricochet.metrics import Metric
from ricochet.records import Recordable

SERVICE = "ricochet"
"""The dimension of every metric, the same for all functions: an alarm on a sum over several would need arithmetic."""

RESULTS_IN_A_LINE = 25
"""How many results share one line of metrics, so that it stays below a kilobyte."""

# Many requests have nothing to count.
warnings.filterwarnings("ignore", message="No application metrics to publish")

# ASCII only: what others sent may hold line separators of Unicode, and readers of logs split lines there.
logger = Logger(json_serializer=partial(json.dumps, default=str, separators=(",", ":")))
metrics = Metrics(service=SERVICE)
by_dimension = AmazonCloudWatchEMFProvider(service=SERVICE)

_log = logging.getLogger(logger.name)


def count(metric: Metric, number: int = 1, **about: str) -> None:
    """Count; `about` is added to the line of metrics, at a sixth of what a line of the log would cost."""
    measure(metric, number)
    for name, value in about.items():
        metrics.add_metadata(name, value)


def measure(metric: Metric, value: float, dimension: str | None = None) -> None:
    """Measure; `dimension` is the value of the metric's own dimension, if it has one."""
    if dimension is None:
        metrics.add_metric(metric.title, metric.unit, value)
        return
    by_dimension.add_metric(metric.title, metric.unit, value)
    by_dimension.add_dimension(metric.dimension, dimension)
    by_dimension.flush_metrics()  # a line of its own: dimensions hold for every metric in a line


def record(result: Recordable) -> None:
    """Log and count a result."""
    for line in result.log_lines():
        _log.log(line.level, line.message, extra=line.fields, exc_info=line.failure)
    for one in result.measurements():
        measure(one.metric, one.value, one.dimension)


def record_each(results: Iterable[Recordable]) -> None:
    """Log and count any number of results."""
    for number, result in enumerate(results, start=1):
        record(result)
        if number % RESULTS_IN_A_LINE == 0:
            metrics.flush_metrics()
