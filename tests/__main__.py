"""All tests in two concurrent processes: those of the deployed stack mostly wait for it, the others do not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import IO

STACK = ("tests/integration",)
OTHERS = ("tests/unit", "tests/template", "tests/faults", "tests/ops")


def pytest(*folders: str, **output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "pytest", *folders], stdin=subprocess.DEVNULL, **output)


def main() -> int:
    with tempfile.TemporaryFile() as output:
        both = pytest(*OTHERS, stdout=output, stderr=subprocess.STDOUT), pytest(*STACK)
        try:
            codes = [process.wait() for process in both]
        except KeyboardInterrupt:  # both have received it too, and stop what they started
            return max(process.wait() for process in both)
        output.seek(0)
        sys.stdout.write(output.read().decode())
    return max(codes, key=abs)


if __name__ == "__main__":
    sys.exit(main())
