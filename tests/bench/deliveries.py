"""The delivery engine with partners on real sockets; tables and queues are in memory, so that only it is measured."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from ricochet.delivery.delivery import Delivery, DeliveryState
from ricochet.delivery.distribute_conversions import DistributeConversions
from ricochet.delivery.fan_out import THREADS, THREADS_PER_PARTNER
from ricochet.delivery.partners.partner import Partner
from ricochet.delivery.partners.partner_gate import PartnerGate
from ricochet.delivery.partners.partner_health import FIRST_RATE, PartnerHealth
from ricochet.delivery.queues import BATCH, DeliveryMessage, DeliveryQueue
from ricochet.delivery.release_due_deliveries import ReleaseDueDeliveries
from ricochet.delivery.retry_deliveries import RetryDeliveries
from ricochet.delivery.retry_schedule import RetrySchedule
from ricochet.dynamodb.wire import to_wire
from ricochet.http.addresses import AllowedTargets
from ricochet.http.attempt import Attempt
from ricochet.http.client import FIRST_ATTEMPT, Sender, SendResult
from ricochet.http.outbound import Outbound
from ricochet.ledger.conversion import Conversion
from ricochet.values import times
from ricochet.values.statuses import Status
from tests.bench.fleet import Arrivals, Fleet, fleet
from tests.bench.report import Row
from tests.bench.sizes import percentile

LATENCY_MS = 150
PARTNERS, CONVERSIONS = 50, 20
SCHEDULE = RetrySchedule((10, 60, 300, 900, 3600, 10800, 21600, 43200, 86400, 86400))
MANY, RECORDS_AT_ONCE = 1000, 25
BACK_AT_ONCE, BACKLOG = 20, 6


class Memory:
    """The tables and queues of the engine; sends and permits are counted."""

    def __init__(self, partners: list[Partner]) -> None:
        self.partners = {partner.partner_id: partner for partner in partners}
        self.rows: dict[tuple[str, str], Delivery] = {}
        self.health: dict[str, PartnerHealth] = {}
        self.messages: list[tuple[float, DeliveryMessage]] = []  # each with the time from which it is visible
        self.send_calls = 0
        self.failed_attempts = 0
        self.permits = Counter[tuple[str, str]]()
        self._lock = threading.Lock()

    # Partners, Deliveries
    def active(self) -> list[Partner]:
        return list(self.partners.values())

    all = active

    def get(self, *key: str) -> Partner | Delivery | None:
        return self.partners.get(key[0]) if len(key) == 1 else self.rows.get((key[0], key[1]))

    def of_conversion(self, conversion_id: str) -> list[Delivery]:
        return []

    def put_first(self, row: Delivery) -> bool:
        return self.record(row)

    def claim(self, row: Delivery, attempt: int, lease_until: str) -> Delivery:
        return row.with_changes(attempt_count=attempt, lease_until=lease_until)

    def record(self, row: Delivery) -> bool:
        with self._lock:
            self.rows[row.conversion_id, row.delivery_key] = row
        return True

    def due(self, partner_id: str, moment: str) -> Iterator[Delivery]:
        found = [row for row in self.rows.values() if row.partner_id == partner_id and row.due_at]
        return (row for row in found if (row.due_at or "") <= moment)

    def clear_due(self, row: Delivery) -> None:
        self.record(row.with_changes(due_at=None))

    # Health
    def of_partners(self) -> dict[str, PartnerHealth]:
        return dict(self.health)

    def of_partner(self, partner_id: str) -> PartnerHealth | None:
        return self.health.get(partner_id)

    def put(self, health: PartnerHealth, seen: PartnerHealth | None) -> bool:
        self.health[health.partner_id] = health
        return True

    def claim_probe(self, health: PartnerHealth, lease_until: str) -> bool:
        return self.put(health.with_changes(open_until=lease_until), health)

    def claim_permit(self, partner_id: str, per_second: float, moment: str) -> bool:
        with self._lock:
            second = partner_id, moment[:19]
            self.permits[second] += 1
            if self.permits[second] > per_second:
                self.permits[second] -= 1
                return False
        return True

    # SQS
    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.send_calls += 1
        if QueueUrl == "retries":
            now = time.time()
            self.messages += [
                (now + entry["DelaySeconds"], DeliveryMessage.parse(entry["MessageBody"])) for entry in Entries
            ]
        return {}

    def receive(self, until: float) -> list[DeliveryMessage]:
        """Return at most a batch of the messages that are visible by then."""
        ready = [entry for entry in self.messages if entry[0] <= until][:BATCH]
        self.messages = [entry for entry in self.messages if entry not in ready]
        return [message for _, message in ready]


class StatusSender:
    """Every partner at once: it answers each request with one status code."""

    def __init__(self, status_code: int) -> None:
        self.status_code, self.sent, self._lock = status_code, 0, threading.Lock()

    def send(self, outbound: Outbound) -> SendResult:
        with self._lock:
            self.sent += 1
        return SendResult(Attempt(at=times.now(), ms=1, status_code=self.status_code))


class Engine:
    """First attempts and retries on one memory; `sender` replaces the partners, which are else real servers."""

    def __init__(
        self,
        ports: list[int],
        sender: StatusSender | None = None,
        schedule: RetrySchedule = SCHEDULE,
    ) -> None:
        allowed = AllowedTargets.parse(",".join(f"127.0.0.1:{port}" for port in ports))
        self.memory = Memory([_partner(port) for port in ports])
        anything = cast("Any", self.memory)
        parts = (
            *(anything, anything, PartnerGate(anything, anything, anything, schedule)),
            *(sender or Sender(allowed, FIRST_ATTEMPT), schedule),
            *(DeliveryQueue(anything, "retries"), DeliveryQueue(anything, "parking"), anything),
        )
        self._distribute = DistributeConversions(*cast("Any", parts))
        self._retry = RetryDeliveries(*cast("Any", parts))
        self._release = ReleaseDueDeliveries(anything, anything, anything, DeliveryQueue(anything, "retries"))

    def distribute(self, conversions: range) -> None:
        self._distribute([_record(number) for number in conversions], lambda: True)

    def release(self) -> None:
        self._release(lambda: True)

    def retry_all(self, until: float = math.inf) -> None:
        """Retry what is visible by then; by default everything at once."""
        while received := self.memory.receive(until):
            self._retry({str(number): message for number, message in enumerate(received)})


def rows() -> list[Row]:
    with fleet(PARTNERS, 1, LATENCY_MS) as partners:
        return [*_fan_out(partners), *_one_dead(partners), *_all_dead_for_a_while(), *_failing()]


def _fan_out(partners: Fleet) -> list[Row]:
    """Each partner uses four threads at most, so that fifty of them can use all."""
    seconds, arrivals = _distribute(partners, partners.healthy)
    sends = sum(map(len, arrivals.times.values()))
    assert sends == PARTNERS * CONVERSIONS
    ideal = math.ceil(sends / THREADS) * LATENCY_MS / 1000
    return [
        Row(f"fan-out of {sends} sends / ({THREADS} threads' worth of latency)", seconds / ideal, 1.25),
        Row("at once to one partner", max(arrivals.peaks.values()), THREADS_PER_PARTNER),
    ]


def _one_dead(partners: Fleet) -> list[Row]:
    """Measure healthy partners' p95 from the record to the postback, with and without a dead one among them."""
    healthy = partners.healthy[1:]
    ratios, lost = [], 0
    for _ in range(3):
        without = _distribute(partners, healthy, p95=True)[0]
        with_it, arrivals = _distribute(partners, [partners.dead[0], *healthy], p95=True)
        ratios.append(with_it / without)
        lost += len(healthy) * CONVERSIONS - sum(map(len, arrivals.times.values()))
    what = f"one dead among {PARTNERS}: healthy partners' p95 / without it"
    return [Row(what, sorted(ratios)[1], 1.2), Row("  postbacks to healthy partners lost", lost, 0, exact=True)]


def _all_dead_for_a_while() -> list[Row]:
    """Twenty partners answer nothing until there is a backlog, and then all recover at once."""
    with fleet(0, BACK_AT_ONCE, 20) as partners:
        engine = Engine(partners.dead, schedule=RetrySchedule((1,) * 10))
        engine.distribute(range(BACKLOG))
        engine.distribute(range(BACKLOG, 2 * BACKLOG))
        engine.memory.permits.clear()
        partners.revive()
        deadline = time.time() + 90
        while any(row.state is DeliveryState.RETRYING for row in engine.memory.rows.values()):
            engine.release()
            engine.retry_all(time.time())
            assert time.time() < deadline, "the backlog is not delivered"
            time.sleep(0.2)
        peak = max(partners.arrivals().peaks.values())
    lost = sum(row.state is not DeliveryState.DELIVERED for row in engine.memory.rows.values())
    return [
        Row(f"all {BACK_AT_ONCE} dead, then back: at once to one partner", peak, THREADS_PER_PARTNER),
        Row("  in one second to one partner", max(engine.memory.permits.values()), FIRST_RATE),
        Row("  postbacks lost", lost, 0, exact=True),
    ]


def _failing() -> list[Row]:
    return [
        Row(f"SQS sends per failed delivery, {MANY:,} of one partner that is down", _sends_per_failure(503), 0.2),
        Row("  per failed attempt, of one that answers 404", _sends_per_failure(404), 0.2),
    ]


def _sends_per_failure(status_code: int) -> float:
    """Send to a partner that always answers with this status, until everything is held or parked."""
    sender = StatusSender(status_code)
    engine = Engine([1], sender)
    for start in range(0, MANY, RECORDS_AT_ONCE):
        engine.distribute(range(start, start + RECORDS_AT_ONCE))
    engine.retry_all()
    rows = engine.memory.rows.values()
    assert len(rows) == MANY
    assert DeliveryState.DELIVERED not in {row.state for row in rows}
    return engine.memory.send_calls / (sender.sent if status_code == 404 else MANY)


def _distribute(partners: Fleet, ports: list[int], *, p95: bool = False) -> tuple[float, Arrivals]:
    """Return the wall seconds of one batch to these partners (or the healthy ones' p95), with open connections."""
    engine, alive = Engine(ports), set(partners.healthy)
    if set(ports) <= alive:
        engine.distribute(range(THREADS_PER_PARTNER))
    partners.arrivals()
    started = time.time()
    engine.distribute(range(CONVERSIONS))
    seconds = time.time() - started
    arrivals = partners.arrivals()
    if p95:
        arrived = [moment - started for port, moments in arrivals.times.items() if port in alive for moment in moments]
        return percentile(arrived, 95), arrivals
    return seconds, arrivals


def _record(number: int) -> dict[str, Any]:
    moment = times.now()
    conversion = Conversion(
        conversion_id=f"CONV-{number:024}",
        source="network:bench",
        status=Status.APPROVED,
        source_status="sale",
        reported=Status.APPROVED,
        version=1,
        amount=1,
        currency="USD",
        created_at=moment,
        updated_at=moment,
    )
    return {"dynamodb": {"NewImage": to_wire(conversion.to_item())}}


def _partner(port: int) -> Partner:
    moment = times.now()
    return Partner(
        partner_id=f"part_{port}",
        name="bench",
        postback_url=f"http://127.0.0.1:{port}/pb?click_id={{click_id}}&status={{status}}&payout={{payout}}",
        signing_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        created_at=moment,
        updated_at=moment,
    )
