"""Paths, and the clean environment for processes that we start."""

from __future__ import annotations

import os
import platform
import random
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
STACK_FILE = LOCAL / "stack.json"
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "USER")
_OUR_AWS = CREDENTIALS | {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "NO_PROXY": "127.0.0.1,localhost",
}


class LocalError(Exception):
    """A problem that the user can fix; the text says how."""


def clean_environment(**more: str) -> dict[str, str]:
    """Return an environment with nothing of the caller's but the home: no profile, proxy or setting has an effect."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed_on | {"PATH": tools_path("/usr/local/bin:/usr/bin:/bin"), "PYTHONUTF8": "1"} | _OUR_AWS | more


def build_environment(**more: str) -> dict[str, str]:
    """Return the caller's environment, which may configure package access, with the embedded AWS and our own tools."""
    passed_on = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    return passed_on | {"PATH": tools_path(), "SAM_CLI_TELEMETRY": "0"} | _OUR_AWS | more


def tools_path(others: str | None = None) -> str:
    """Return a PATH with our own tools first, then `others` (by default the caller's PATH)."""
    rest = os.environ.get("PATH", "") if others is None else others
    return os.pathsep.join([str(ROOT / ".venv/bin"), str(LOCAL / "bootstrap/bin"), rest])


def architecture() -> str:
    """Return this machine's architecture by Lambda's name."""
    return {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A random free port below those that the system gives to outgoing connections, which could take it at any time."""
    while not is_free(port := random.randrange(10_000, 32_768)):  # noqa: S311 - no secret
        pass
    return port
