"""`make bench`: one table of Ricochet's costs beside the goals of its design.

A wrong count fails the run. A ratio compares two measurements of the same run, and is only marked where it misses its
goal: machines are noisy.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from local import stack as stacks
from local.workspace import LOCAL
from tests.bench import calls, costs, cpu, deliveries, exactly_once, imports, sending, sizes, workers
from tests.bench.deployed import deployed
from tests.bench.report import Section, lines


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the emulator is stopped too
    arguments = _parser().parse_args()
    LOCAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LOCAL, prefix="bench-") as name:
        sections, steps = measure(Path(name))
    print(*lines(sections), sep="\n")
    print(*costs.table(steps, arguments.conversion_rate, arguments.partners), sep="\n")
    return 1 if any(row.is_wrong for section in sections for row in section.rows) else 0


def measure(folder: Path) -> tuple[list[Section], dict[str, costs.Measured]]:
    """Return the measurements, and what each step of a click uses. The emulator stops before CPU time is measured."""
    report_progress("building the template")
    build = shutil.copytree(stacks.build().parent, folder / "build")
    report_progress("deploying it to an embedded AWS of its own")
    with (
        workers.BenchPartners() as partners,
        deployed(folder / "aws", build, AllowedTargets=f"127.0.0.1:{partners.port}") as running,
    ):
        report_progress("making requests")
        results = calls.run(running)
        report_progress("running the workers that follow")
        steps = workers.steps(results, partners)
        report_progress("reporting conversions from eight threads")
        credit_rows = exactly_once.rows(running)
    report_progress("importing functions in fresh processes")
    import_rows = imports.rows(build, folder, running.settings)
    report_progress("running warm handlers")
    cpu_rows = cpu.rows(results.items["click"][0])
    report_progress("delivering to partners")
    delivery_rows = deliveries.rows()
    report_progress("sending to a partner")
    sending_rows = sending.rows()
    sections = [
        Section("AWS calls per request", results.call_rows()),
        Section("Write units per request", results.capacity_rows()),
        Section("Item sizes, bytes", sizes.rows(results.items)),
        Section("CPU of a cold import", import_rows),
        Section("CPU of a warm handler", cpu_rows),
        Section("Credits under pressure", credit_rows),
        Section("Deliveries", delivery_rows),
        Section("Sends to partners", sending_rows),
    ]
    return sections, steps


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--conversion-rate", type=float, default=costs.CONVERSION_RATE)
    parser.add_argument("--partners", type=float, default=costs.PARTNERS)
    return parser


def report_progress(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
