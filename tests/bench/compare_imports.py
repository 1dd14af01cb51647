"""Cold starts of this checkout beside those of another one, measured in turn so that a busy machine slows both.

`python -m tests.bench.compare_imports OTHER [--renamed Old=New ...] [--rounds N]` builds both checkouts and imports
each function in fresh processes, laid out as on Lambda. It writes nothing into the other checkout.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import yaml

from local.workspace import LOCAL, ROOT, architecture, build_environment
from tests.bench.imports import Artifact, boto3_seconds

ROUNDS = 9
_FILES, _FOLDERS = ("template.yaml", "samconfig.toml"), ("functions", "layers")


class _Loader(yaml.SafeLoader):
    """Reads `!Ref Name` and the like as their text: only names and defaults are needed."""


_Loader.add_multi_constructor("!", lambda _, __, node: node.value)


class Checkout:
    """A checkout's functions as packaged, with the environment variables that its template gives them."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.artifact = Artifact(_build(source, folder), folder / "packaged")
        self.artifact.date_as_packaged()
        template = yaml.load((source / "template.yaml").read_text(encoding="utf-8"), _Loader)
        defaults = {name: str(spec.get("Default", "")) for name, spec in template["Parameters"].items()}
        shared = template["Globals"]["Function"]["Environment"]["Variables"]
        self.settings = {
            name: {
                variable: defaults.get(str(value), str(value))
                for variable, value in (shared | _variables(template["Resources"][name])).items()
            }
            for name in self.artifact.functions
        }

    def import_seconds(self, function: str) -> float:
        return self.artifact.import_seconds(function, self.settings[function], "-B")


def _variables(function: dict) -> dict[str, object]:
    return function["Properties"].get("Environment", {}).get("Variables", {})


def _build(source: Path, folder: Path) -> Path:
    """Build a copy of the sources; return the folder of the build."""
    copy, build = folder / "source", folder / "build"
    copy.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(source / name, copy)
    for name in _FOLDERS:
        shutil.copytree(source / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [str(LOCAL / "sam/bin/sam"), "build", "--config-env", "local", "--build-dir", str(build)],
        cwd=copy,
        env=build_environment(RICOCHET_ARCHITECTURE=architecture()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return build


def compare(old: Checkout, new: Checkout, renamed: dict[str, str], rounds: int) -> Iterator[str]:
    """Yield a table: each function's imports / boto3's in both checkouts, and new / old, as medians over the rounds."""
    pairs = {name: renamed.get(name, name) for name in old.artifact.functions}
    both = {before: after for before, after in pairs.items() if after in new.artifact.functions}
    ratios: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for _ in range(rounds):
        for before, after in both.items():
            boto3 = boto3_seconds(new.settings[after])
            seconds = old.import_seconds(before), new.import_seconds(after)
            ratios[after].append((seconds[0] / boto3, seconds[1] / boto3, seconds[1] / seconds[0]))
    yield f"{'function':<28} {'old / boto3':>12} {'new / boto3':>12} {'new / old':>10}"
    medians = {name: [median(column) for column in zip(*found, strict=True)] for name, found in ratios.items()}
    for name, (old_ratio, new_ratio, change) in sorted(medians.items()):
        yield f"{name:<28} {old_ratio:>12.2f} {new_ratio:>12.2f} {change:>10.2f}"
    yield f"{'median of all':<28} {'':>12} {'':>12} {median(change for *_, change in medians.values()):>10.2f}"
    yield from (f"{name:<28} only in the old checkout" for name in sorted(pairs.keys() - both.keys()))
    yield from (f"{name:<28} only in this one" for name in sorted(set(new.artifact.functions) - set(both.values())))


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.bench.compare_imports", description=__doc__)
    parser.add_argument("other", type=Path, help="the folder of another checkout")
    parser.add_argument("--renamed", nargs="*", default=[], metavar="OLD=NEW", help="functions with other logical ids")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    renamed = dict(pair.split("=", 1) for pair in arguments.renamed)
    LOCAL.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LOCAL, prefix="bench-") as name:
        old, new = Checkout(arguments.other.resolve(), Path(name, "old")), Checkout(ROOT, Path(name, "new"))
        for line in compare(old, new, renamed, arguments.rounds):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
