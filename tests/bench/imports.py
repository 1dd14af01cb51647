"""Cold starts: the CPU that importing a packaged function takes, beside importing boto3 alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from local.workspace import clean_environment
from tests.bench.deployed import functions_of
from tests.bench.report import Row

ROUNDS = 11
API_RATIO, WORKER_RATIO, PACKAGED_RATIO = 2.2, 2.0, 1.10
_COMPARED_WITH_ORDINARY = ("CreateClick", "ReceivePostback", "DistributeConversions")
_PACKAGED_AT = 315_532_800  # 1980-01-01, the date of everything in a deployment package
_LAYERS = ("DependenciesLayer", "RicochetLayer")
_TIMED_IMPORT = """
import sys, time
sys.path[:0] = sys.argv[2:]
started = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - started)
"""


class Artifact:
    """A build in Lambda's layout: a folder for each function, and one for all layers."""

    def __init__(self, build: Path, folder: Path) -> None:
        self.folder = folder
        self.functions = functions_of(build)
        for name in self.functions:
            shutil.copytree(build / name, folder / name)
        for name in _LAYERS:
            shutil.copytree(build / name / "python", folder / "opt", dirs_exist_ok=True)

    def date_as_packaged(self) -> None:
        for path in self.folder.rglob("*"):
            os.utime(path, (_PACKAGED_AT, _PACKAGED_AT))

    def forget_compiled(self) -> None:
        for path in list(self.folder.rglob("__pycache__")):
            shutil.rmtree(path)

    def import_seconds(self, function: str, settings: dict[str, str], *options: str) -> float:
        return _seconds("app", self.folder / function, self.folder / "opt", options=options, settings=settings)

    def import_ratio(self, function: str, settings: dict[str, str]) -> float:
        """Return the ratio to boto3 at the same moment: the speed of a shared machine varies by a factor of two."""
        return self.import_seconds(function, settings, "-B") / boto3_seconds(settings)


def boto3_seconds(settings: dict[str, str]) -> float:
    return _seconds("boto3", options=["-B"], settings=settings)


def rows(build: Path, folder: Path, settings: dict[str, dict[str, str]]) -> list[Row]:
    """`settings`: the environment variables of each function; `folder`: where artifacts are laid out."""
    packaged, ordinary = Artifact(build, folder / "packaged"), Artifact(build, folder / "ordinary")
    packaged.date_as_packaged()
    ordinary.forget_compiled()
    for name in _COMPARED_WITH_ORDINARY:
        ordinary.import_seconds(name, settings[name])  # writes .pyc, boto3's too if it had none

    ratios: dict[str, list[float]] = defaultdict(list)
    warm: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for name in packaged.functions:
            ratios[name].append(packaged.import_ratio(name, settings[name]))
            if name in _COMPARED_WITH_ORDINARY:
                warm[name].append(ordinary.import_ratio(name, settings[name]))
    return [
        *(Row(f"{name} / boto3", median(found), _goal(build, name)) for name, found in ratios.items()),
        *(
            Row(f"{name} as packaged / with warm .pyc", median(ratios[name]) / median(found), PACKAGED_RATIO)
            for name, found in warm.items()
        ),
    ]


def _goal(build: Path, function: str) -> float:
    """Return the goal of a function; workers need not import what answers requests."""
    is_api = "resolver()" in (build / function / "app.py").read_text()
    return API_RATIO if is_api else WORKER_RATIO


def _seconds(module: str, *paths: Path, options: Sequence[str], settings: dict[str, str]) -> float:
    """Return the CPU seconds of `import module` in a fresh process, with `paths` first on the path."""
    done = subprocess.run(
        [sys.executable, "-I", *options, "-c", _TIMED_IMPORT, module, *paths],
        env=clean_environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return float(done.stdout)
