"""The URLs of a click: where the user is redirected, and where its postback arrives."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

from ricochet.errors import TaskUrlNotAllowedError
from ricochet.http.plain_url import host_of

OUR_PARAMETERS = ("click_id", "postback_url")


def check_task_url(url: str, allowed_hosts: tuple[str, ...]) -> str:
    """Return `url` if its host is allowed. Raise TaskUrlNotAllowedError otherwise."""
    try:
        host = host_of(url)
    except ValueError as error:
        raise TaskUrlNotAllowedError(str(error)) from error
    if host not in {allowed.lower() for allowed in allowed_hosts}:
        raise TaskUrlNotAllowedError(f"taskUrl must lead to the product's own host, not to {host}")
    return url


def redirect_url(task_url: str, click_id: str, postback_url: str) -> str:
    """Return `task_url` with its query unchanged, plus our two parameters in place of any of the same names."""
    parts = urlsplit(task_url)
    kept = [pair for pair in parts.query.split("&") if pair and _name(pair) not in OUR_PARAMETERS]
    ours = [f"click_id={click_id}", f"postback_url={quote(postback_url, safe='')}"]
    return urlunsplit(parts._replace(query="&".join(kept + ours)))


def postback_url(public_base_url: str, click_id: str) -> str:
    return f"{public_base_url}/api/v1/earn/postback?click_id={click_id}"


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0]).strip().lower()
