"""Every error that callers and queues may meet; the class docstring is the definition.

RicochetError
├── RequestError
│   ├── InvalidRequestError
│   │   ├── InvalidBodyError
│   │   ├── InvalidCursorError
│   │   ├── InvalidLimitError
│   │   ├── InvalidAmountError
│   │   ├── InvalidCurrencyError
│   │   ├── InvalidClickIdError
│   │   ├── ClickIdRequiredError
│   │   ├── TaskUrlNotAllowedError
│   │   ├── ReferrerIsSelfError
│   │   └── PartnerUrlNotAllowedError
│   ├── ForbiddenError
│   │   └── PostbackNotAuthenticatedError
│   ├── NotFoundError
│   │   ├── ClickNotFoundError
│   │   ├── ProductNotFoundError
│   │   ├── PartnerNotFoundError
│   │   ├── NetworkNotFoundError
│   │   ├── DeliveryNotFoundError
│   │   ├── ReceiptNotFoundError
│   │   ├── EarningNotFoundError
│   │   ├── ConversionNotFoundError
│   │   └── ReferrerNotFoundError
│   ├── ConflictError
│   │   ├── ProductPausedError
│   │   ├── ProductExistsError
│   │   ├── PartnerExistsError
│   │   ├── PartnerArchivedError
│   │   ├── DeliveryUnderWayError
│   │   ├── LoginTakenError
│   │   ├── NetworkExistsError
│   │   ├── ReceiptIncompleteError
│   │   ├── ReceiptNotReplayableError
│   │   ├── EarningNotWaitingError
│   │   ├── StatusNotPossibleError
│   │   ├── ClickOwnerMismatchError
│   │   ├── ChangedMeanwhileError
│   │   ├── ClickAlreadyConvertedError
│   │   ├── ConflictingReplayError
│   │   ├── ReferrerAlreadySetError
│   │   └── ReferrerCycleError
│   ├── ClickExpiredError
│   ├── BodyTooLargeError
│   └── UnknownStatusError
├── NotAConversionError
├── TargetRefusedError
├── CompositionError
└── ServerFailureError
    ├── LedgerBusyError
    ├── DeliveryBusyError
    └── QueueRefusedError

The `code` that callers see is the class name in capitals without its ending: `ClickExpiredError` is `CLICK_EXPIRED`.
The docstring is what the API's description says of the code, and the default message.
HTTP statuses are given in one place, `ricochet.api`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class RicochetError(Exception):
    """Root of the tree; `details` are short texts that are safe to show to the caller."""

    code = "INTERNAL_ERROR"
    meaning = "something failed on our side"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__.removesuffix("Error")).upper()
        if cls.__doc__:
            cls.meaning = cls.__doc__[0].lower() + cls.__doc__[1:].removesuffix(".")

    def __init__(self, message: str = "", details: Iterable[str] = ()) -> None:
        self.message = message or self.meaning
        self.details = list(details)
        super().__init__(self.message)


class RequestError(RicochetError):
    """The request cannot be fulfilled as it is."""


class InvalidRequestError(RequestError):
    """A field does not fit; `details` names each one."""


class InvalidBodyError(InvalidRequestError):
    """The body cannot be read: it must be a JSON object in UTF-8."""


class InvalidCursorError(InvalidRequestError):
    """The cursor is not one of ours, or belongs to another listing."""


class InvalidLimitError(InvalidRequestError):
    """The limit must be a number from 1 to 100."""


class InvalidAmountError(InvalidRequestError):
    """The amount is not a plain decimal number that can be stored."""


class InvalidCurrencyError(InvalidRequestError):
    """Currency must be a code such as USD."""


class InvalidClickIdError(InvalidRequestError):
    """click_id must be a UUID."""


class ClickIdRequiredError(InvalidRequestError):
    """click_id is missing."""


class TaskUrlNotAllowedError(InvalidRequestError):
    """taskUrl must lead to one of the product's own hosts."""


class ReferrerIsSelfError(InvalidRequestError):
    """Nobody refers themselves."""


class PartnerUrlNotAllowedError(InvalidRequestError):
    """postbackUrl must be http(s) and lead to a public host."""


class ForbiddenError(RequestError):
    """The token does not allow this."""


class PostbackNotAuthenticatedError(ForbiddenError):
    """The token, the signature or the address is not the right one."""


class NotFoundError(RequestError):
    """There is nothing here."""


class ClickNotFoundError(NotFoundError):
    """There is no such click, or it is another user's."""


class ProductNotFoundError(NotFoundError):
    """There is no such product."""


class PartnerNotFoundError(NotFoundError):
    """There is no such partner."""


class NetworkNotFoundError(NotFoundError):
    """There is no such network, or it is not active."""

    network_id: str | None = None
    """Set if the network exists but is not active; for the log only."""


class DeliveryNotFoundError(NotFoundError):
    """There is no such delivery."""


class ReceiptNotFoundError(NotFoundError):
    """There is no such receipt."""


class EarningNotFoundError(NotFoundError):
    """There is no such earning."""


class ConversionNotFoundError(NotFoundError):
    """There is no such conversion."""


class ReferrerNotFoundError(NotFoundError):
    """Nobody has this referral code."""


class ConflictError(RequestError):
    """The request does not fit the present state."""


class ProductPausedError(ConflictError):
    """This product is paused."""


class ProductExistsError(ConflictError):
    """A product with this id exists already."""


class PartnerExistsError(ConflictError):
    """A partner with this id exists already."""


class PartnerArchivedError(ConflictError):
    """The partner is archived."""


class DeliveryUnderWayError(ConflictError):
    """This delivery is still being tried."""


class LoginTakenError(ConflictError):
    """A login belongs to another partner."""


class NetworkExistsError(ConflictError):
    """A network of this id or with this key exists already."""


class ReceiptIncompleteError(ConflictError):
    """Only the beginning of this postback was kept."""


class ReceiptNotReplayableError(ConflictError):
    """This receipt is of a decision, not of a postback."""


class EarningNotWaitingError(ConflictError):
    """The earning has been decided already."""


class StatusNotPossibleError(ConflictError):
    """A conversion with this status cannot get that one."""


class ClickOwnerMismatchError(ConflictError):
    """This click is another user's."""


class ChangedMeanwhileError(ConflictError):
    """Somebody changed it at the same time; read it again."""


class ClickAlreadyConvertedError(ConflictError):
    """The click has led to a conversion already."""


class ConflictingReplayError(ConflictError):
    """The transaction is known with another click, user or amount."""


class ReferrerAlreadySetError(ConflictError):
    """Your referrer is set already."""


class ReferrerCycleError(ConflictError):
    """You brought this user yourself."""


class ClickExpiredError(RequestError):
    """The click has expired."""


class BodyTooLargeError(RequestError):
    """The body is over 256 KiB."""


class UnknownStatusError(RequestError):
    """The status is not known."""


class NotAConversionError(RicochetError):
    """The postback reports no conversion: its receipt is kept, and nothing else is done."""


class TargetRefusedError(RicochetError):
    """A delivery's host leads to an address that is not public."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} leads to {address}, which is not a public address")
        self.without_address = f"{host} leads to what is not a public address"
        """For others than operators: what our resolver finds inside is not theirs to know."""


class CompositionError(RicochetError):
    """No valid request can be composed for a delivery, now or later."""


class ServerFailureError(RicochetError):
    """Something failed on our side; the same request may succeed later."""


class LedgerBusyError(ServerFailureError):
    """Too many writes at once; try again."""


class DeliveryBusyError(ServerFailureError):
    """Another attempt at the delivery is under way."""


class QueueRefusedError(ServerFailureError):
    """A queue did not accept a message; send it again."""
