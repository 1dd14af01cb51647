"""How many deliveries are under way at once: each partner gets its share of the threads and no more."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

THREADS = 64

THREADS_PER_PARTNER = 4


@dataclass
class Results[R]:
    """What the jobs returned and what they raised."""

    results: list[R] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


def run_per_partner[J, R](
    jobs: Iterable[J], work: Callable[[J], R], partner_of: Callable[[J], str], chain_of: Callable[[J], Hashable]
) -> Results[R]:
    """Run `work` on every job: at most 64 at once, four of one partner, and the jobs of one chain in order.

    A job that fails ends its chain; the others go on.
    """
    chains: dict[str, dict[Hashable, list[J]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        chains[partner_of(job)][chain_of(job)].append(job)
    backlogs = [deque(of_partner.values()) for of_partner in chains.values()]
    done, lock = Results[R](), threading.Lock()

    def work_off(backlog: deque[list[J]]) -> None:
        while chain := _next(backlog):
            for job in chain:
                try:
                    result = work(job)
                except Exception as failure:  # noqa: BLE001 - the caller raises it after the other jobs
                    with lock:
                        done.failures.append(failure)
                    break
                with lock:
                    done.results.append(result)

    tasks = [backlog for turn in range(THREADS_PER_PARTNER) for backlog in backlogs if turn < len(backlog)]
    if tasks:
        with ThreadPoolExecutor(min(THREADS, len(tasks)), thread_name_prefix="send") as pool:
            for finished in [pool.submit(work_off, backlog) for backlog in tasks]:
                finished.result()
    return done


def _next[J](backlog: deque[list[J]]) -> list[J] | None:
    try:
        return backlog.popleft()
    except IndexError:
        return None
