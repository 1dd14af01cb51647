"""Logs and metrics, the same in every function."""

from __future__ import annotations

import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

# Many a request has nothing to count.
warnings.filterwarnings("ignore", message="No application metrics to publish")

logger = Logger()
metrics = Metrics()


def count(name: str, number: int = 1) -> None:
    metrics.add_metric(name, MetricUnit.Count, number)
