"""A postback as it arrived, and the receipt that keeps it."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus

from ricochet.errors import BodyTooLargeError, InvalidBodyError
from ricochet.ledger.receipt import UNIDENTIFIED, Receipt, filing
from ricochet.values import ids
from ricochet.values.entity import Entity
from ricochet.values.inputs import MAX_BODY_BYTES, parse_json_object
from ricochet.values.masking import MASK
from ricochet.values.times import Moment

UNIDENTIFIED_BYTES_KEPT = 2048
"""Bytes of query and body that a receipt keeps of an unauthenticated sender, who must not fill our tables."""

KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp")

# What a network sends when it did not fill in a macro: {payout}, [X], #x#, [%x%], %x%
_BARE_MACRO = re.compile(r"\{[\w.-]+\}|\[%?[\w.-]+%?\]|#[\w.-]+#|%[\w.-]+%", re.ASCII)


class RawPostback(Entity):
    """One request to a postback URL, not yet parsed."""

    receipt_id: str
    received_at: Moment
    method: str
    base_url: str = ""  # the API's public URL, by configuration or by API Gateway: signatures cover it
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""
    source_ip: str

    @classmethod
    def from_event(cls, event: dict[str, Any], received_at: Moment, base_url: str = "") -> Self:
        """Read an API Gateway event, payload format 2.0."""
        http = event["requestContext"]["http"]
        text = event.get("body") or ""
        return cls(
            receipt_id=ids.new_receipt_id(received_at),
            received_at=received_at,
            method=http["method"],
            base_url=base_url,
            path=event["rawPath"],
            query=event.get("rawQueryString") or "",
            headers=event.get("headers") or {},
            body=base64.b64decode(text) if event.get("isBase64Encoded") else text.encode(),
            source_ip=http["sourceIp"],
        )

    def to_message(self) -> str:
        """Return a queue message; `from_message` returns the same postback."""
        return json.dumps(self.to_item() | {"body": base64.b64encode(self.body).decode()})

    @classmethod
    def from_message(cls, text: str) -> Self:
        fields = json.loads(text)
        return cls.from_item(fields | {"body": base64.b64decode(fields["body"])})

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())

    def query_fields(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def body_fields(self) -> dict[str, Any]:
        """Return the fields of a JSON object or a form; numbers are Decimal, never float."""
        if len(self.body) > MAX_BODY_BYTES:
            raise BodyTooLargeError(f"the body is over {MAX_BODY_BYTES // 1024} KiB")
        try:
            text = self.body.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise InvalidBodyError("the body is not UTF-8") from error
        if not text:
            return {}
        if self._is_form(text):
            return dict(parse_qsl(text, keep_blank_values=True))
        return parse_json_object(text)

    def _is_form(self, text: str) -> bool:
        content_type = (self.header("content-type") or "").partition(";")[0].strip().lower()
        if content_type == "application/x-www-form-urlencoded":
            return not text.startswith("{")  # curl -d '{...}' without a header sends JSON as a form
        return "json" not in content_type and text[0] not in "{[" and "=" in text

    def fields(self) -> dict[str, Any]:
        """Return the fields of query and body. The body wins, but the click id in the URL is the one that we issued."""
        query, body = present(self.query_fields()), present(self.body_fields())
        return query | body | {name: query[name] for name in ("click_id",) if name in query}

    def query_without(self, secret_fields: frozenset[str]) -> str:
        """Return the query as it arrived, with the values of secret fields masked."""
        pairs = self.query.split("&")
        return "&".join(_masked_pair(pair, secret_fields) for pair in pairs)

    def body_without(self, secret_fields: frozenset[str]) -> bytes:
        """Return the body as it arrived, with the values of secret fields masked in JSON and forms, complete or not."""
        body = self.body
        for name in (re.escape(field.encode()) for field in secret_fields):
            body = re.sub(rb'("%s"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)' % name, rb'\1"%s"' % MASK.encode(), body)
            body = re.sub(rb"((?:^|&)%s=)[^&]*" % name, rb"\1%s" % MASK.encode(), body)
        return body


def _masked_pair(pair: str, secret_fields: frozenset[str]) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={MASK}" if equals and unquote_plus(name) in secret_fields else pair


def receipt_of(
    raw: RawPostback, outcome: str, *, trusted: bool, secret_fields: frozenset[str], **links: str | None
) -> Receipt:
    """Return a receipt for `raw` without its secrets. Of a sender who is not `trusted` only the beginning is kept."""
    kept = raw.body_without(secret_fields)
    return Receipt.from_entity(
        raw,
        outcome=outcome,
        query=raw.query_without(secret_fields)[: None if trusted else UNIDENTIFIED_BYTES_KEPT],
        headers={name: raw.headers[name][:256] for name in KEPT_HEADERS if name in raw.headers},
        body=kept if trusted else kept[:UNIDENTIFIED_BYTES_KEPT],
        body_size=len(raw.body),
        truncated=True if not trusted and max(len(kept), len(raw.query)) > UNIDENTIFIED_BYTES_KEPT else None,
        **filing(links.get("source") or ids.pick(raw.receipt_id, UNIDENTIFIED), raw.received_at),
        **links,
    )


def present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if not is_missing(value)}


def is_missing(value: object) -> bool:
    """Whether a value is absent, empty, or a macro that the sender did not fill in."""
    if value is None:
        return True
    return isinstance(value, str) and (not value.strip() or _BARE_MACRO.fullmatch(value.strip()) is not None)
