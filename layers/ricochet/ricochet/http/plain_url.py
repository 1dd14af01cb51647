"""Plain http(s) URLs: what browsers and Python read alike, and nothing else."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from ricochet.errors import TaskUrlNotAllowedError

MAX_LENGTH = 2048

# Browsers and urlsplit disagree about these in a host: what one takes for a path is the other's host name.
_CONFUSING = re.compile(r"[\s\\\x00-\x1f\x7f]")

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", re.ASCII)

_DEFAULT_PORTS = {"http": 80, "https": 443}


def split_task_url(url: str) -> SplitResult:
    """The parts of a plain http(s) URL; TaskUrlNotAllowedError if it is anything else."""
    if len(url) > MAX_LENGTH:
        raise TaskUrlNotAllowedError(f"taskUrl is longer than {MAX_LENGTH} characters")
    if _CONFUSING.search(url):
        raise TaskUrlNotAllowedError("taskUrl has spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TaskUrlNotAllowedError("taskUrl is not a URL") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise TaskUrlNotAllowedError("taskUrl must be http or https")
    if "@" in parts.netloc:
        raise TaskUrlNotAllowedError("taskUrl must not hold a user name or a password")
    if not _AUTHORITY.fullmatch(parts.netloc) or not parts.hostname or port == 0:
        raise TaskUrlNotAllowedError("taskUrl has no valid host")
    return parts


def host_of(url: str) -> str:
    """The host of a task URL, with its port unless that is the scheme's own: `example.com`, `example.com:8443`."""
    parts = split_task_url(url)
    host = (parts.hostname or "").rstrip(".")
    return host if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{parts.port}"


def check_task_url(url: str, allowed_hosts: tuple[str, ...]) -> str:
    """`url` itself if its host is one of the allowed ones, else TaskUrlNotAllowedError."""
    host = host_of(url)
    if host not in {allowed.lower() for allowed in allowed_hosts}:
        raise TaskUrlNotAllowedError(f"taskUrl must lead to the product's own host, not to {host}")
    return url
