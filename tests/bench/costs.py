"""The costs of a million clicks: the measured usage of each step times list prices.

Units, calls and log bytes are measured; durations are assumed, since the embedded AWS does not have those of Lambda.
docs/scaling.md shows all of it, and a test keeps the two equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.bench.calls import Usage

CONVERSION_RATE, PARTNERS = 0.05, 3
PRICES = {  # dollars for a million; us-east-1, on demand, without free tiers and discounts
    "API request": 1.00,
    "Lambda invocation": 0.20,
    "Lambda GB-second (arm64)": 13.3334,
    "DynamoDB write unit": 0.625,
    "DynamoDB read unit": 0.125,
    "SQS request": 0.40,
    "log kilobyte": 0.50,
    "X-Ray trace": 5.00,
}
ASSUMED = {
    "milliseconds of an invocation's own work": 15,
    "milliseconds of a call to AWS": 8,
    "milliseconds until a partner answers": 300,
    "log bytes that Lambda adds to an invocation": 450,
    "log bytes of an API request": 250,
    "invocations in a hundred that are traced": 5,
    "deliveries in a hundred that are tried again": 2,
}


@dataclass(frozen=True)
class Kind:
    """What every step of a kind has in common."""

    api_requests: int = 0
    invocations: int = 1
    megabytes: int = 512
    queue_requests: int = 0
    waits_for_partner: bool = False


STEPS = {
    "click": Kind(api_requests=1),
    "visit": Kind(api_requests=1),
    "postback": Kind(api_requests=1),
    "distribution": Kind(megabytes=1024, waits_for_partner=True),
    "delivery": Kind(megabytes=1024, invocations=0),  # part of a distribution, which sends to all partners concurrently
    "commission": Kind(),
    "retry": Kind(queue_requests=3, waits_for_partner=True),  # sent, received, deleted
}


class Measured(NamedTuple):
    """The average usage of one step."""

    write_units: float
    read_units: float
    calls: float
    log_bytes: float

    @classmethod
    def mean(cls, usages: list[Usage]) -> Measured:
        sums = (
            sum(usage.base.total() + usage.indexes.total() for usage in usages),
            sum(usage.reads for usage in usages),
            sum(usage.calls for usage in usages),
            sum(usage.log_bytes for usage in usages),
        )
        return cls(*(total / len(usages) for total in sums))


def often(conversion_rate: float, partners: float) -> dict[str, float]:
    """Return how often each step happens per click. Every click is visited, and every user has a referrer."""
    deliveries = conversion_rate * partners
    return {
        "click": 1,
        "visit": 1,
        "postback": conversion_rate,
        "distribution": conversion_rate,
        "delivery": deliveries,
        "commission": conversion_rate,
        "retry": deliveries * ASSUMED["deliveries in a hundred that are tried again"] / 100,
    }


def dollars(kind: Kind, measured: Measured) -> float:
    """Return the costs of a million of a step."""
    milliseconds = (
        kind.invocations * ASSUMED["milliseconds of an invocation's own work"]
        + measured.calls * ASSUMED["milliseconds of a call to AWS"]
        + kind.waits_for_partner * ASSUMED["milliseconds until a partner answers"]
    )
    log_bytes = (
        measured.log_bytes
        + kind.invocations * ASSUMED["log bytes that Lambda adds to an invocation"]
        + kind.api_requests * ASSUMED["log bytes of an API request"]
    )
    used = {
        "API request": kind.api_requests,
        "Lambda invocation": kind.invocations,
        "Lambda GB-second (arm64)": milliseconds / 1000 * kind.megabytes / 1024,
        "DynamoDB write unit": measured.write_units,
        "DynamoDB read unit": measured.read_units,
        "SQS request": kind.queue_requests,
        "log kilobyte": log_bytes / 1000,
        "X-Ray trace": kind.invocations * ASSUMED["invocations in a hundred that are traced"] / 100,
    }
    return sum(PRICES[name] * amount for name, amount in used.items())


def table(
    steps: Mapping[str, Measured], conversion_rate: float = CONVERSION_RATE, partners: float = PARTNERS
) -> Iterator[str]:
    """Yield a line for each step, in Markdown as in the guide."""
    shares, total = often(conversion_rate, partners), 0.0
    yield "| step | for each click | write units | read units | calls | log bytes | dollars for a million clicks |"
    yield "|---|---|---|---|---|---|---|"
    for name, step in steps.items():
        cost = shares[name] * dollars(STEPS[name], step)
        total += cost
        units = (f"{value:z.2f}" for value in (step.write_units, step.read_units, step.calls))
        measured = " | ".join([*units, f"{step.log_bytes:.0f}"])
        yield f"| {name} | {shares[name]:g} | {measured} | {cost:.2f} |"
    yield f"| all | | | | | | {total:.2f} |"
