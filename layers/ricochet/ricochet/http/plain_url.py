"""Plain http(s) URLs: only those that browsers and Python parse alike."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

MAX_LENGTH = 2048

# Browsers and urlsplit disagree about these: one reads as a path what the other reads as the host.
_CONFUSING = re.compile(r"[\s\\\x00-\x1f\x7f]")

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", re.ASCII)

DEFAULT_PORTS = {"http": 80, "https": 443}

_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]", re.ASCII)

_UNESCAPED = "!$&'()*+,;=:@/"  # besides the unreserved characters, in a path


def plain_url(text: str, field: str) -> SplitResult:
    """Return the parts of a plain http(s) URL. Raise ValueError, which names `field`, for anything else."""
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
    """Return the host of a plain URL with its port unless it is the default: `example.com`, `example.com:8443`."""
    parts = plain_url(url, field)
    host = (parts.hostname or "").rstrip(".")
    return host if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{parts.port}"


def normalized_url(url: str) -> str:
    """Return the URL byte for byte as `requests` would send it. Raise ValueError if it is not a plain http(s) URL."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme not in DEFAULT_PORTS or not _AUTHORITY.fullmatch(parts.netloc) or host.startswith("."):
        raise ValueError("not a plain http(s) URL")
    host = f"[{host}]" if ":" in host else host
    authority = f"{host}:{port}" if port else host
    path, query, fragment = _escaped(parts.path), _escaped(parts.query, "?"), _escaped(parts.fragment, "?")
    return urlunsplit((parts.scheme, authority, path or "/", query, fragment))


def target_of(url: str) -> str:
    """Return the request target of a normalized URL: its path and query."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _escaped(text: str, also_unescaped: str = "") -> str:
    """Percent-encode what a URL cannot contain; if any `%` is not an escape, all of them are literal."""
    unescaped, text = _UNESCAPED + also_unescaped, _ESCAPE.sub(lambda escape: escape[0].upper(), text)
    if len(_ESCAPE.findall(text)) != text.count("%"):
        return quote(text, safe=unescaped)
    return quote(_ESCAPE.sub(_unescaped, text), safe=f"{unescaped}%")


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0]
