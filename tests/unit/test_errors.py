"""The error tree, its documentation, and the status and code of each error."""

import inspect
import re

import pytest

from ricochet import api, errors

CLASSES = [one for one in vars(errors).values() if inspect.isclass(one) and issubclass(one, errors.RicochetError)]
STATUSES = {
    errors.InvalidRequestError: 400,
    errors.ForbiddenError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.ClickExpiredError: 410,
    errors.BodyTooLargeError: 413,
    errors.UnknownStatusError: 422,
    errors.ServerFailureError: 503,
}
NEVER_ANSWERED = {
    *(errors.RicochetError, errors.RequestError),
    *(errors.NotAConversionError, errors.TargetRefusedError, errors.CompositionError),
}


def drawn_tree() -> dict[str, str | None]:
    """Return child -> parent, as the tree in the docstring shows them."""
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"(?P<branch>[\u2502\u251c\u2514\u2500 ]*)(?P<name>\w+Error)\b", line):
            path[len(match["branch"]) // 4 :] = [match["name"]]
            parents[match["name"]] = path[-2] if len(path) > 1 else None
    return parents


def test_the_documented_tree_is_the_real_one():
    real = {one.__name__: None if one is errors.RicochetError else one.__base__.__name__ for one in CLASSES}
    assert drawn_tree() == real


def test_every_name_ends_in_error():
    assert all(one.__name__.endswith("Error") for one in CLASSES)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.ClickExpiredError, "CLICK_EXPIRED"),
        (errors.ClickIdRequiredError, "CLICK_ID_REQUIRED"),
        (errors.TaskUrlNotAllowedError, "TASK_URL_NOT_ALLOWED"),
        (errors.InvalidAmountError, "INVALID_AMOUNT"),
        (errors.PostbackNotAuthenticatedError, "POSTBACK_NOT_AUTHENTICATED"),
        (errors.ClickNotFoundError, "CLICK_NOT_FOUND"),
        (errors.ClickAlreadyConvertedError, "CLICK_ALREADY_CONVERTED"),
        (errors.ProductNotFoundError, "PRODUCT_NOT_FOUND"),
        (errors.ProductPausedError, "PRODUCT_PAUSED"),
        (errors.UnknownStatusError, "UNKNOWN_STATUS"),
        (errors.ConflictingReplayError, "CONFLICTING_REPLAY"),
    ],
)
def test_callers_get_the_agreed_codes(kind, code):
    assert kind("why").code == code


@pytest.mark.parametrize(
    "kind", [one for one in CLASSES if one is not errors.TargetRefusedError], ids=lambda kind: kind.__name__
)
def test_every_error_has_the_status_of_its_branch_and_its_own_code(kind):
    error = kind("why", ["field: wrong"])
    branch = [status for base, status in STATUSES.items() if issubclass(kind, base)]
    assert api.status_of(error) == (branch[0] if branch else 500)
    assert bool(branch) is (kind not in NEVER_ANSWERED)
    assert (str(error), error.message, error.details) == ("why", "why", ["field: wrong"])
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", error.code)


def test_the_address_of_a_refused_target_can_be_left_out():
    error = errors.TargetRefusedError("x.example", "10.0.0.1:443")
    assert error.message == "x.example leads to 10.0.0.1:443, which is not a public address"
    assert error.without_address == "x.example leads to what is not a public address"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_docstring_of_every_error_is_one_sentence(kind):
    assert re.fullmatch(r"[^\n]+\.", kind.__doc__)
    assert ". " not in kind.__doc__
    assert len({one.__doc__ for one in CLASSES}) == len(CLASSES)


def test_the_docstring_becomes_the_meaning_and_the_default_message():
    assert errors.ClickExpiredError.__doc__ == "The click has expired."
    error = errors.ClickExpiredError()
    assert (error.meaning, error.message, str(error)) == ("the click has expired",) * 3
    assert errors.TaskUrlNotAllowedError.meaning.startswith("taskUrl must")


def test_no_two_errors_share_a_code():
    codes = [one.code for one in CLASSES]
    assert len(set(codes)) == len(codes)


def test_a_new_error_inherits_the_status_of_its_branch():
    class TooEarlyError(errors.ConflictError):
        pass

    assert (api.status_of(TooEarlyError("why")), TooEarlyError.code) == (409, "TOO_EARLY")
