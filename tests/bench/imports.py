"""Cold starts: the CPU that importing a packaged function takes, beside importing boto3 alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from local.workspace import clean_environment
from tests.bench.deployed import functions_of
from tests.bench.report import Row

ROUNDS = 11
API_RATIO, WORKER_RATIO, PACKAGED_RATIO = 2.2, 2.0, 1.10
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
    """A build laid out as Lambda does: a folder for each function, one for all layers."""

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

    def import_seconds(self, function: str, settings: dict[str, str], *, write_compiled: bool = False) -> float:
        paths = [str(self.folder / function), str(self.folder / "opt")]
        return _seconds("app", *paths, settings=settings, write_compiled=write_compiled)


def rows(build: Path, folder: Path, settings: dict[str, dict[str, str]]) -> list[Row]:
    """`settings`: the environment variables of each function; `folder`: a place to lay artifacts out in."""
    packaged, ordinary = Artifact(build, folder / "packaged"), Artifact(build, folder / "ordinary")
    packaged.date_as_packaged()
    ordinary.forget_compiled()
    _seconds("boto3", settings={}, write_compiled=True)
    for name in ordinary.functions:
        ordinary.import_seconds(name, settings[name], write_compiled=True)

    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(ROUNDS):
        seconds.setdefault(("boto3", ""), []).append(_seconds("boto3", settings={}))
        for name in packaged.functions:
            for kind, artifact in (("packaged", packaged), ("ordinary", ordinary)):
                seconds.setdefault((kind, name), []).append(artifact.import_seconds(name, settings[name]))
    cost = {key: median(values) for key, values in seconds.items()}

    boto3 = cost["boto3", ""]
    against_boto3 = {name: cost["packaged", name] / boto3 for name in packaged.functions}
    against_ordinary = {name: cost["packaged", name] / cost["ordinary", name] for name in packaged.functions}
    worst = max(against_ordinary, key=lambda name: against_ordinary[name])
    return [
        *(Row(f"{name} / boto3", ratio, _goal(build, name)) for name, ratio in against_boto3.items()),
        Row(f"packaged / with warm .pyc, worst: {worst}", against_ordinary[worst], PACKAGED_RATIO),
        Row("packaged / with warm .pyc, median of all functions", median(against_ordinary.values()), PACKAGED_RATIO),
    ]


def _goal(build: Path, function: str) -> float:
    """Workers have no API to answer."""
    is_api = "resolver()" in (build / function / "app.py").read_text()
    return API_RATIO if is_api else WORKER_RATIO


def _seconds(module: str, *paths: str, settings: dict[str, str], write_compiled: bool = False) -> float:
    """CPU seconds of `import module` in a fresh process with `paths` before everything else."""
    options = ["-I"] if write_compiled else ["-I", "-B"]
    done = subprocess.run(
        [sys.executable, *options, "-c", _TIMED_IMPORT, module, *paths],
        env=clean_environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return float(done.stdout)
