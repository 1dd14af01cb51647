"""POST and GET /api/v1/earn/postback."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from api_docs.description import Body, Caller, Operation, Success, Tag
from ricochet.api import Queued
from ricochet.errors import (
    BodyTooLargeError,
    ClickAlreadyConvertedError,
    ClickExpiredError,
    ClickIdRequiredError,
    ClickNotFoundError,
    ConflictingReplayError,
    InvalidAmountError,
    InvalidBodyError,
    InvalidClickIdError,
    InvalidCurrencyError,
    InvalidRequestError,
    PostbackNotAuthenticatedError,
    QueueRefusedError,
    UnknownStatusError,
)
from ricochet.intake.fields import MAX_TEXT
from ricochet.intake.reply import Reported
from ricochet.values.entity import Model
from ricochet.values.money import Currency, Price

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]


class Postback(Model):
    """The fields with which an advertiser reports a conversion."""

    amount: Price | None = Field(None, description="What the user earns; by default the product's `earnUpTo`.")
    currency: Currency | None = Field(None, description="A currency other than the product's is held for review.")
    status: Text | None = Field(
        None,
        description="Such as `completed`, `pending`, `refund`; by default the product's `defaultStatus`.",
    )
    transaction_id: Text | None = None
    conversion_id: Text | None = None
    event: Text | None = None
    offer_id: Text | None = None
    token: Text | None = None


class ClickInQuery(BaseModel):
    click_id: str | None = Field(None, description="The click, a UUID or 32 hex digits; here or in the body.")


class PostbackInQuery(Postback):
    click_id: str = Field(alias="click_id", description="The click, a UUID or 32 hex digits.")


_ABOUT = (
    "Authenticated as the click's product requires (`postbackAuth.mode`): by token, by Standard Webhooks headers, by "
    "address, or not at all. A repeat gets the same answer with `duplicate` and changes nothing. "
    "Fields may also be named `transaction_id`, `txid`, `txn_id`, `conversion_id`, `offer_id`."
)
_PROOFS: tuple[dict[str, Any], ...] = tuple(
    {"name": name, "in": "header", "description": about, "schema": {"type": "string"}}
    for name, about in {
        "X-Postback-Token": "The product's token (mode `secret`), unless it is sent as `token`.",
        "webhook-id": "Standard Webhooks (mode `signature`): the message's id.",
        "webhook-timestamp": "Standard Webhooks: epoch seconds, at most five minutes off.",
        "webhook-signature": "Standard Webhooks: `v1,` and base64 of the HMAC-SHA256.",
    }.items()
)
_ANSWERS = (
    Success(
        "Postback received and processed",
        Reported,
        {
            "earningId": "EARN-019A9F4C2D39-7B1E0C5D8A92F344",
            "clickId": "550e8400-e29b-41d4-a716-446655440000",
            "conversionId": "conv_789012",
            "status": "completed",
            "amount": 50,
        },
    ),
    Success(
        "Postback accepted, to be processed shortly",
        Queued,
        {"receiptId": "RCPT-019A9F4C2D39-0F6C2B9E1D7A4853"},
        status=202,
    ),
)
_ERRORS = (
    ClickIdRequiredError,
    InvalidClickIdError,
    InvalidAmountError,
    InvalidCurrencyError,
    InvalidBodyError,
    InvalidRequestError,
    PostbackNotAuthenticatedError,
    ClickNotFoundError,
    ClickAlreadyConvertedError,
    ConflictingReplayError,
    ClickExpiredError,
    BodyTooLargeError,
    UnknownStatusError,
    QueueRefusedError,
)

OPERATIONS = (
    Operation(
        route="POST /api/v1/earn/postback",
        name="reportConversion",
        tag=Tag.POSTBACKS,
        caller=Caller.ANYONE,
        summary="An advertiser reports a conversion",
        description=f"{_ABOUT} Fields may be in the query or in the body, which overrides all but `click_id`.",
        query=ClickInQuery,
        parameters=_PROOFS,
        body=Body(
            Postback,
            {"amount": 50, "status": "completed", "transactionId": "txn_123456", "conversionId": "conv_789012"},
            ("application/json", "application/x-www-form-urlencoded"),
            is_optional=True,
        ),
        successes=_ANSWERS,
        errors=_ERRORS,
    ),
    Operation(
        route="GET /api/v1/earn/postback",
        name="reportConversionByUrl",
        tag=Tag.POSTBACKS,
        caller=Caller.ANYONE,
        summary="An advertiser reports a conversion, all of it in the URL",
        description=_ABOUT,
        query=PostbackInQuery,
        parameters=_PROOFS,
        successes=_ANSWERS,
        errors=_ERRORS,
    ),
)
