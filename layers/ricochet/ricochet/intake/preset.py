"""What a network's preset says, and how a postback reads through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from secrets import token_urlsafe
from typing import Any

from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.signatures import Proof, path_key
from ricochet.values.statuses import Status, parse_status

Fields = Mapping[str, Any]

Names = Mapping[str, tuple[str, ...]]

# Our names for what a postback may say; a preset gives the network's names for them.
KNOWN = frozenset(
    {
        *("click_id", "user_id", "transaction_id", "source_conversion_id", "amount", "payout", "currency", "status"),
        *("event", "offer_id"),
    }
)


def no_reason(_: Fields) -> None:
    return None


@dataclass(frozen=True)
class Acknowledgement:
    """What the network wants to read so that it stops sending; `{error}` stands for the reason of a refusal."""

    body: str = "OK"
    duplicate: str | None = None
    refusal: str | None = None
    content_type: str = "text/plain"

    def text(self, outcome: str, error: str = "") -> str:
        if error and self.refusal is not None:
            return self.refusal.replace("{error}", error)
        return self.duplicate if outcome == "repeat" and self.duplicate is not None else self.body


class Reads(Enum):
    """Where the fields may stand: where a signature covers one part of the request, only there."""

    BOTH = "query and body"
    QUERY = "query"
    BODY = "body"


@dataclass(frozen=True)
class Preset:
    """One network. Parameter names are tried in their order; the first that has a value counts."""

    title: str
    fields: Names
    proof: Proof = path_key
    reads: Reads = Reads.BOTH
    needs_secret: bool = False
    new_secret: Callable[[], str] = lambda: token_urlsafe(24)
    needs_vouching: bool = False  # the proof leaves out the amount: CIDRs or a click of ours must vouch for it
    statuses: Mapping[str, Status] = field(default_factory=dict)  # its own words and numbers, in lower case
    own_words: Callable[[Fields], Mapping[str, Status]] = lambda _: {}  # words that a postback itself explains
    knows_other_words: bool = True  # besides those, the words that everybody uses
    default_status: Status = Status.APPROVED
    is_reversal: Callable[[Fields], bool] = no_reason  # type: ignore[assignment]
    reversed_transaction: Callable[[Fields], str | None] = no_reason
    """Which transaction a reversal takes back, where it has an id of its own."""
    only_receipt: Callable[[Fields], str | None] = no_reason
    """Why this postback is kept as a receipt and nothing else, if it is (tests, other roles)."""
    account_field: str | None = None  # whose account it is for: what is not for the configured one is only a receipt
    is_rebill: Callable[[Fields], bool] = no_reason  # type: ignore[assignment]
    """Whether it is a later charge of the same customer: a conversion of its own on a click that has converted."""
    unwrap: Callable[[RawPostback, str], dict[str, Any]] | None = None
    """The fields, where they are not simply those of the query and the body; InvalidBodyError if they can't be had."""
    acknowledgement: Callable[[Fields], Acknowledgement] = lambda _: Acknowledgement()
    paste: str = ""  # query of the URL to paste at the network, with its macros
    secret_fields: frozenset[str] = frozenset({"token"})  # what receipts must not show
    beta: bool = False  # known from public integrations only, not from the vendor's documentation

    def read(self, fields: Fields, name: str, own_names: Names) -> Any:
        """The value of one of our names, by the network's own configuration or else by the preset; None if absent."""
        for theirs in (*own_names.get(name, ()), *self.fields.get(name, ())):
            if fields.get(theirs) is not None:
                return fields[theirs]
        return None

    def is_for_another(self, account: str | None, fields: Fields) -> bool:
        """Whether the postback is for another account than ours at the network."""
        if account is None or self.account_field is None:
            return False
        return str(fields.get(self.account_field, "")).lower() != account.lower()

    def status_of(self, word: str, fields: Fields, configured: Mapping[str, Status]) -> Status | None:
        """What a word means here, by the operator's word first; None if nobody knows it."""
        key = word.strip().lower()
        for words in (configured, self.own_words(fields), self.statuses):
            if key in words:
                return words[key]
        return parse_status(word) if self.knows_other_words else None
