"""All tests in two processes at once: those of the deployed stack mostly wait for it, and the others need not."""

from __future__ import annotations

import subprocess
import sys
import tempfile

STACK = ("tests/integration",)
OTHERS = ("tests/unit", "tests/template", "tests/faults", "tests/ops")


def pytest(*folders: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *folders]


def main() -> int:
    with tempfile.TemporaryFile() as output:
        others = subprocess.Popen(pytest(*OTHERS), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            stack = subprocess.run(pytest(*STACK), check=False, stdin=subprocess.DEVNULL)
            others.wait()
        finally:
            others.terminate()
        output.seek(0)
        sys.stdout.write(output.read().decode())
    return stack.returncode or others.returncode


if __name__ == "__main__":
    sys.exit(main())
