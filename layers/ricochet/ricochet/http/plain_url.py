"""Plain http(s) URLs: what browsers and Python read alike, and nothing else."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

MAX_LENGTH = 2048

# Browsers and urlsplit disagree about these in a host: what one takes for a path is the other's host name.
_CONFUSING = re.compile(r"[\s\\\x00-\x1f\x7f]")

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", re.ASCII)

DEFAULT_PORTS = {"http": 80, "https": 443}


def plain_url(text: str, field: str) -> SplitResult:
    """Return the parts of a plain http(s) URL; raise ValueError, which names `field`, for anything else."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{field} is longer than {MAX_LENGTH} characters")
    if _CONFUSING.search(text):
        raise ValueError(f"{field} has spaces, backslashes or control characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{field} is not a URL") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError(f"{field} must be http or https")
    if "@" in parts.netloc:
        raise ValueError(f"{field} must not hold a user name or a password")
    if not _AUTHORITY.fullmatch(parts.netloc) or not parts.hostname or port == 0:
        raise ValueError(f"{field} has no valid host")
    return parts


def host_of(url: str, field: str = "taskUrl") -> str:
    """The host of a plain URL, with its port unless that is the scheme's own: `example.com`, `example.com:8443`."""
    parts = plain_url(url, field)
    host = (parts.hostname or "").rstrip(".")
    return host if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{parts.port}"
