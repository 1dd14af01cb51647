"""What each error code tells a caller."""

from ricochet import errors
from ricochet.errors import RicochetError

MEANINGS: dict[type[RicochetError], str] = {
    errors.InvalidRequestError: "a field does not fit; `details` names each one",
    errors.InvalidBodyError: "the body is not what it should be: a JSON object in UTF-8",
    errors.InvalidCursorError: "the cursor is not one of ours, or is another listing's",
    errors.InvalidLimitError: "limit must be a number from 1 to 100",
    errors.InvalidAmountError: "the amount is no plain decimal number that can be kept",
    errors.InvalidCurrencyError: "the currency must be a code such as USD",
    errors.InvalidClickIdError: "click_id must be a UUID",
    errors.ClickIdRequiredError: "click_id is missing",
    errors.TaskUrlNotAllowedError: "taskUrl must lead to one of the product's own hosts",
    errors.ReferrerIsSelfError: "nobody refers themselves",
    errors.PartnerUrlNotAllowedError: "postbackUrl must be http(s) and lead to a public host",
    errors.ForbiddenError: "the token does not allow this",
    errors.PostbackNotAuthenticatedError: "the token, the signature or the address is not the right one",
    errors.NotFoundError: "there is nothing here",
    errors.ClickNotFoundError: "there is no such click, or it is another user's",
    errors.ProductNotFoundError: "there is no such product",
    errors.PartnerNotFoundError: "there is no such partner",
    errors.NetworkNotFoundError: "there is no such network, or it is not active",
    errors.EarningNotFoundError: "there is no such earning",
    errors.ConversionNotFoundError: "there is no such conversion",
    errors.ReceiptNotFoundError: "there is no such receipt",
    errors.DeliveryNotFoundError: "there is no such delivery",
    errors.ReferrerNotFoundError: "nobody has this referral code",
    errors.ProductPausedError: "the product takes no clicks now",
    errors.ProductExistsError: "a product of this id exists already",
    errors.PartnerExistsError: "a partner of this id exists already",
    errors.LoginTakenError: "a login belongs to another partner",
    errors.NetworkExistsError: "a network of this id or with this key exists already",
    errors.ReceiptNotReplayableError: "the receipt is of a decision and not of a postback",
    errors.EarningNotWaitingError: "the earning is decided already",
    errors.StatusNotPossibleError: "a conversion of this status cannot become that",
    errors.ReceiptIncompleteError: "only the beginning of this postback was kept",
    errors.DeliveryUnderWayError: "the delivery is still being tried",
    errors.PartnerArchivedError: "the partner is archived",
    errors.ClickOwnerMismatchError: "the click is another user's than the one the postback names",
    errors.ChangedMeanwhileError: "somebody changed it at the same time; read it again",
    errors.ClickAlreadyConvertedError: "the click has led to a conversion already",
    errors.ConflictingReplayError: "the transaction is known with another click or amount",
    errors.ReferrerAlreadySetError: "your referrer is set already",
    errors.ReferrerCycleError: "you brought this user yourself",
    errors.ClickExpiredError: "the click has expired",
    errors.BodyTooLargeError: "the body is over 256 KiB",
    errors.UnknownStatusError: "the status is a word that nobody knows",
    errors.LedgerBusyError: "too many writes at once; try again",
    errors.QueueRefusedError: "not even our fallback queue was in reach; send it again",
}


def meaning_of(error: type[RicochetError]) -> str:
    if error not in MEANINGS:
        raise LookupError(f"say in api_docs/codes.py what {error.__name__} means")
    return MEANINGS[error]
