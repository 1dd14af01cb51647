"""Each partner gets its share of the threads and no more."""

import threading
from collections import Counter, defaultdict
from itertools import pairwise

from ricochet.delivery.fan_out import THREADS_PER_PARTNER, run_per_partner


class Work:
    """Records how many jobs of each partner ran at once, and in which order they ran."""

    def __init__(self, until=None) -> None:
        self.now, self.peak, self.order = Counter(), Counter(), defaultdict(list)
        self.until, self._lock = until, threading.Lock()

    def __call__(self, job):
        partner, chain, number = job
        with self._lock:
            self.now[partner] += 1
            self.peak[partner] = max(self.peak[partner], self.now[partner])
            self.order[partner, chain].append(number)
        if self.until is not None:
            self.until(job)
        with self._lock:
            self.now[partner] -= 1
        return job


def run(jobs, work):
    return run_per_partner(jobs, work, partner_of=lambda job: job[0], chain_of=lambda job: job[1])


def test_each_job_runs_once():
    jobs = [(f"p{number % 7}", number % 3, number) for number in range(200)]
    done = run(jobs, Work())
    assert (sorted(done.results), done.failures) == (sorted(jobs), [])


def test_each_partner_gets_its_share_of_threads_and_no_more():
    all_jobs = threading.Barrier(10 * THREADS_PER_PARTNER, timeout=20)
    jobs = [(f"p{partner}", chain, 0) for partner in range(10) for chain in range(THREADS_PER_PARTNER)]
    work = Work(until=lambda job: all_jobs.wait())
    assert run(jobs, work).failures == []
    assert set(work.peak.values()) == {THREADS_PER_PARTNER}
    work = Work()
    run([("p", chain, 0) for chain in range(100)], work)
    assert work.peak["p"] <= THREADS_PER_PARTNER


def test_jobs_of_a_chain_run_in_order():
    work = Work()
    run([("p", number % 5, number) for number in range(100)], work)
    assert all(before < after for order in work.order.values() for before, after in pairwise(order))


def test_blocked_partner_does_not_delay_others():
    others_done, others = threading.Event(), []

    def wait_or_finish(job):
        if job[0] == "slow":
            assert others_done.wait(timeout=20)
        else:
            others.append(job)
            if len(others) == 60:
                others_done.set()

    jobs = [("slow", chain, 0) for chain in range(100)] + [(f"p{number}", 0, 0) for number in range(60)]
    assert run(jobs, Work(until=wait_or_finish)).failures == []


def test_failure_ends_only_its_own_chain():
    def fail_at_two(job):
        if job == ("a", 0, 2):
            raise ValueError("two")

    jobs = [("a", 0, 1), ("a", 0, 2), ("a", 0, 3), ("a", 1, 4), ("b", 0, 5)]
    done = run(jobs, Work(until=fail_at_two))
    assert sorted(done.results) == [("a", 0, 1), ("a", 1, 4), ("b", 0, 5)]
    assert [str(failure) for failure in done.failures] == ["two"]


def test_no_jobs_give_no_results():
    assert run([], Work()).results == []
