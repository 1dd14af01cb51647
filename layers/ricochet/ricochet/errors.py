"""Every error that callers and queues may meet. (What the ledger tells its use cases is in `tables.ledger`.)

RicochetError
├── RequestError                     the caller is wrong, and is told so
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
├── NotAConversionError              a postback that is kept, and that is all that is to be done with it
├── TargetRefusedError               a delivery would have gone where none may go
├── CompositionError                 a delivery has no request that could be sent, and patience will not change that
└── ServerFailureError               we are wrong, and the same request may succeed later
    ├── LedgerBusyError
    ├── DeliveryBusyError
    └── QueueRefusedError

The `code` that callers see is the class name in capitals without its ending: `ClickExpiredError`
is `CLICK_EXPIRED`. HTTP statuses are given in one place, `ricochet.api`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class RicochetError(Exception):
    """Root of the tree; `details` are short texts that are safe to show to the caller."""

    code: str = "INTERNAL_ERROR"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__.removesuffix("Error")).upper()

    def __init__(self, message: str, details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = list(details)


class RequestError(RicochetError):
    pass


class InvalidRequestError(RequestError):
    pass


class InvalidBodyError(InvalidRequestError):
    pass


class InvalidCursorError(InvalidRequestError):
    pass


class InvalidLimitError(InvalidRequestError):
    pass


class InvalidAmountError(InvalidRequestError):
    pass


class InvalidCurrencyError(InvalidRequestError):
    pass


class InvalidClickIdError(InvalidRequestError):
    pass


class ClickIdRequiredError(InvalidRequestError):
    pass


class TaskUrlNotAllowedError(InvalidRequestError):
    pass


class ReferrerIsSelfError(InvalidRequestError):
    pass


class PartnerUrlNotAllowedError(InvalidRequestError):
    pass


class ForbiddenError(RequestError):
    pass


class PostbackNotAuthenticatedError(ForbiddenError):
    pass


class NotFoundError(RequestError):
    pass


class ClickNotFoundError(NotFoundError):
    pass


class ProductNotFoundError(NotFoundError):
    pass


class PartnerNotFoundError(NotFoundError):
    pass


class NetworkNotFoundError(NotFoundError):
    network_id: str | None = None
    """Of a network that is there, but not active; for the log only."""


class DeliveryNotFoundError(NotFoundError):
    pass


class ReceiptNotFoundError(NotFoundError):
    pass


class EarningNotFoundError(NotFoundError):
    pass


class ConversionNotFoundError(NotFoundError):
    pass


class ReferrerNotFoundError(NotFoundError):
    pass


class ConflictError(RequestError):
    pass


class ProductPausedError(ConflictError):
    pass


class ProductExistsError(ConflictError):
    pass


class PartnerExistsError(ConflictError):
    pass


class PartnerArchivedError(ConflictError):
    pass


class DeliveryUnderWayError(ConflictError):
    pass


class LoginTakenError(ConflictError):
    pass


class NetworkExistsError(ConflictError):
    pass


class ReceiptIncompleteError(ConflictError):
    pass


class ReceiptNotReplayableError(ConflictError):
    pass


class EarningNotWaitingError(ConflictError):
    pass


class StatusNotPossibleError(ConflictError):
    pass


class ClickOwnerMismatchError(ConflictError):
    pass


class ChangedMeanwhileError(ConflictError):
    pass


class ClickAlreadyConvertedError(ConflictError):
    pass


class ConflictingReplayError(ConflictError):
    pass


class ReferrerAlreadySetError(ConflictError):
    pass


class ReferrerCycleError(ConflictError):
    pass


class ClickExpiredError(RequestError):
    pass


class BodyTooLargeError(RequestError):
    pass


class UnknownStatusError(RequestError):
    pass


class NotAConversionError(RicochetError):
    pass


class TargetRefusedError(RicochetError):
    def __init__(self, host: str, address: str) -> None:
        super().__init__(f"{host} leads to {address}, which is not a public address")
        self.without_address = f"{host} leads to what is not a public address"
        """For others than operators: what our resolver finds inside is not theirs to know."""


class CompositionError(RicochetError):
    pass


class ServerFailureError(RicochetError):
    pass


class LedgerBusyError(ServerFailureError):
    pass


class DeliveryBusyError(ServerFailureError):
    pass


class QueueRefusedError(ServerFailureError):
    pass
