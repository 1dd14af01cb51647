"""What a network's preset says, and how a postback is read with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from secrets import token_urlsafe
from typing import Any

from ricochet.intake.raw_postback import RawPostback
from ricochet.intake.signatures import Proof, path_key
from ricochet.values.statuses import Outcome, Status, parse_status

Fields = Mapping[str, Any]

Names = Mapping[str, tuple[str, ...]]

# Our names of the fields that a postback may have; a preset gives the network's names for them.
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
    """The answer that stops the network from repeating the postback; `{error}` stands for the reason of a refusal."""

    body: str = "OK"
    duplicate: str | None = None
    refusal: str | None = None
    content_type: str = "text/plain"

    def text(self, outcome: Outcome) -> str:
        return self.duplicate if outcome is Outcome.REPEAT and self.duplicate is not None else self.body

    def refusal_text(self, error: str) -> str:
        return self.body if self.refusal is None else self.refusal.replace("{error}", error)


class Reads(Enum):
    """Where fields are read from: only from the part of the request that the signature covers."""

    BOTH = "query and body"
    QUERY = "query"
    BODY = "body"


@dataclass(frozen=True)
class Preset:
    """One network. Parameter names are tried in order; the first that has a value counts."""

    title: str
    fields: Names
    proof: Proof = path_key
    reads: Reads = Reads.BOTH
    needs_secret: bool = False
    new_secret: Callable[[], str] = lambda: token_urlsafe(24)
    needs_vouching: bool = False  # the proof does not cover the amount: CIDRs or a click of ours must vouch for it
    statuses: Mapping[str, Status] = field(default_factory=dict)  # its own names and numbers, in lower case
    explained_statuses: Callable[[Fields], Mapping[str, Status]] = (
        lambda _: {}
    )  # names that the postback itself explains
    knows_common_names: bool = True  # the status names that everybody uses count as well
    default_status: Status = Status.APPROVED
    is_reversal: Callable[[Fields], bool] = no_reason  # type: ignore[assignment]
    reversed_transaction: Callable[[Fields], str | None] = no_reason
    """The transaction that a reversal takes back, if the reversal has an id of its own."""
    only_receipt: Callable[[Fields], str | None] = no_reason
    """Why this postback is only kept as a receipt (tests, other roles); None for all others."""
    account_field: str | None = None  # whose account it is for; a postback for another one is only kept as a receipt
    is_rebill: Callable[[Fields], bool] = no_reason  # type: ignore[assignment]
    """Whether it is a later charge of the same customer: a conversion of its own on a converted click."""
    unwrap: Callable[[RawPostback, str], dict[str, Any]] | None = None
    """Returns fields that are not simply those of query and body; raises InvalidBodyError if they are unreadable."""
    acknowledgement: Callable[[Fields], Acknowledgement] = lambda _: Acknowledgement()
    paste: str = ""  # query of the URL to paste at the network, with its macros
    secret_fields: frozenset[str] = frozenset({"token"})  # parameters that receipts must not show
    beta: bool = False  # known only from public integrations, not from the vendor's documentation

    def read(self, fields: Fields, name: str, own_names: Names) -> Any:
        """Return a field by one of our names: the network's own mapping first, then the preset's; None if absent."""
        for theirs in (*own_names.get(name, ()), *self.fields.get(name, ())):
            if fields.get(theirs) is not None:
                return fields[theirs]
        return None

    def is_for_another(self, account: str | None, fields: Fields) -> bool:
        """Whether the postback is for another account than ours at the network."""
        if account is None or self.account_field is None:
            return False
        return str(fields.get(self.account_field, "")).lower() != account.lower()

    def status_of(self, name: str, fields: Fields, configured: Mapping[str, Status]) -> Status | None:
        """Return what a status name means here, the operator's map first; None if it is unknown."""
        key = name.strip().lower()
        for known in (configured, self.explained_statuses(fields), self.statuses):
            if key in known:
                return known[key]
        return parse_status(name) if self.knows_common_names else None
