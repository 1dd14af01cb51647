"""Work for many partners at once, so that none of them can take up more than its share of the threads."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

THREADS = 64

PER_PARTNER = 4


@dataclass
class Results[R]:
    """What the jobs returned, and what they raised."""

    results: list[R] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)


def run_per_partner[J, R](
    jobs: Iterable[J], work: Callable[[J], R], partner_of: Callable[[J], str], chain_of: Callable[[J], Hashable]
) -> Results[R]:
    """`work` on every job: at most 64 at once, four of one partner, and those of one chain one after another.

    A job that fails ends its chain and nothing else.
    """
    chains: dict[str, dict[Hashable, list[J]]] = defaultdict(lambda: defaultdict(list))
    for job in jobs:
        chains[partner_of(job)][chain_of(job)].append(job)
    lanes = {partner: deque(of_partner.values()) for partner, of_partner in chains.items()}
    done, lock = Results[R](), threading.Lock()

    def drive(lane: deque[list[J]]) -> None:
        while chain := _next(lane):
            for job in chain:
                try:
                    result = work(job)
                except Exception as failure:  # noqa: BLE001 - the caller raises it when the others are through
                    with lock:
                        done.failures.append(failure)
                    break
                with lock:
                    done.results.append(result)

    drivers = [lane for turn in range(PER_PARTNER) for lane in lanes.values() if turn < len(lane)]
    if drivers:
        with ThreadPoolExecutor(min(THREADS, len(drivers)), thread_name_prefix="send") as pool:
            for finished in [pool.submit(drive, lane) for lane in drivers]:
                finished.result()
    return done


def _next[J](lane: deque[list[J]]) -> list[J] | None:
    try:
        return lane.popleft()
    except IndexError:
        return None
