"""Run many small requests at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

THREADS = 16


def run_in_parallel[J, R](work: Callable[[J], R], jobs: Iterable[J]) -> list[R]:
    """Return the results of all jobs, in the order of the jobs."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, jobs))
