"""Finds the conversion that an id belongs to, and everything that was recorded of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile

from ops.examine import at_once
from ops.listing import every
from ops.stacks import OperatorError, Stack
from ops.story import Story
from ricochet.errors import InvalidClickIdError
from ricochet.ledger.commission import referrer_at_credit
from ricochet.ledger.conversion import Conversion, day_shards
from ricochet.ledger.earning import Earning
from ricochet.ledger.receipt import Receipt
from ricochet.values import ids, times

QUEUED_MINUTES = 60
"""So much earlier than its effect a postback may have come, if our own side failed on it at first."""


class AmbiguousError(OperatorError):
    """More than one conversion goes by that id."""


def story_of(stack: Stack, text: str, days: int) -> Story:
    """By our id, the source's own, a click's or a receipt's.

    Where the source's id goes with an event, conversions of the last `days` days are searched for it.
    OperatorError if there is no such thing, AmbiguousError if there are several.
    """
    click_id = _click_id(text)
    if click_id is not None:
        return _story_of_click(stack, click_id)
    receipt = stack.receipts.get(text)
    if receipt is not None and not receipt.conversion_id and receipt.click_id:
        return _story_of_click(stack, receipt.click_id)
    found = stack.conversions.get((receipt and receipt.conversion_id) or text)
    if found is not None:
        return told(stack, found)
    candidates = _by_sources_id(stack, text) or list(_searched(stack, text, days))
    if not candidates:
        raise OperatorError(
            f"no conversion goes by {text}: no source has an event of this id, nor any of the last {days} days "
            "(--days looks further back). If it was refused, there is only a receipt: `receipts`"
        )
    return told(stack, _only(candidates, text))


def _only(candidates: list[Conversion], text: str) -> Conversion:
    if len(candidates) > 1:
        several = "\n".join(
            f"  {one.conversion_id}  {one.source}  {one.status}  {one.updated_at}" for one in candidates
        )
        raise AmbiguousError(f"{len(candidates)} conversions go by {text}; say which:\n{several}")
    return candidates[0]


def _click_id(text: str) -> str | None:
    try:
        return ids.parse_click_id(text)
    except InvalidClickIdError:
        return None


def _story_of_click(stack: Stack, click_id: str) -> Story:
    click, receipts = stack.clicks.get(click_id), _receipts_of_click(stack, click_id)
    led_to = dict.fromkeys(receipt.conversion_id for receipt in receipts if receipt.conversion_id)
    if click and click.outcome:
        led_to[click.outcome.conversion_id] = None
    found = [one for one in map(stack.conversions.get, led_to) if one is not None]
    if found:
        return told(stack, _only(found, f"click {click_id}"))
    if click is None and not receipts:
        raise OperatorError(f"there is no click {click_id}; clicks are kept for 30 days after they expired")
    return Story(click, receipts=tuple(receipts))


def _by_sources_id(stack: Stack, text: str) -> list[Conversion]:
    """Conversions are named after what their source calls them, so that every source's can be computed."""
    sources = [one.source for one in every(stack.networks.list_page)]
    sources += [f"product:{one.product_id}" for one in every(lambda *page: stack.products.list_page(None, *page))]
    keys = (("transaction", text, ""), ("conversion", text))
    wanted = [ids.conversion_id(source, key) for source in sources for key in keys]
    return [one for one in at_once(stack.conversions.get, wanted) if one is not None]


def _searched(stack: Stack, text: str, days: int) -> Iterator[Conversion]:
    now = times.now()
    for back in range(days):
        day = (times.parse(now) - timedelta(days=back)).date().isoformat()
        for shard in day_shards(day):
            for one in stack.conversions.changed(shard, f"{day}T00:00:00.000Z", f"{day}T99"):
                if text in (one.transaction_id, one.source_conversion_id):
                    yield one


def told(stack: Stack, conversion: Conversion) -> Story:
    click_id = _click_id(conversion.click_id or "")
    referrer_id = _referrer(stack, conversion)
    return Story(
        click=stack.clicks.get(click_id) if click_id else None,
        conversion=conversion,
        receipts=tuple(_receipts(stack, conversion, click_id)),
        earnings=tuple(_rows(stack, conversion.user_id, conversion)),
        referrer_id=referrer_id,
        commissions=tuple(_rows(stack, referrer_id, conversion)),
        deliveries=tuple(stack.deliveries.of_conversion(conversion.conversion_id)),
    )


def _referrer(stack: Stack, conversion: Conversion) -> str | None:
    user = stack.users.get(conversion.user_id) if conversion.user_id else None
    return referrer_at_credit(user, conversion)


def _rows(stack: Stack, user_id: str | None, conversion: Conversion) -> Iterator[Earning]:
    """The user's ledger rows for the conversion, the oldest first; reads what the user has earned since it began."""
    if user_id is None:
        return iter(())
    newest_first = every(lambda *page: stack.earnings.of_user(user_id, *page))
    since = takewhile(lambda row: row.earned_at >= conversion.created_at, newest_first)
    return reversed([row for row in since if row.conversion_id == conversion.conversion_id])


def _receipts(stack: Stack, conversion: Conversion, click_id: str | None) -> list[Receipt]:
    """By its click; where it has none, by when it changed."""
    if click_id is not None:
        about = (conversion.conversion_id, None)  # what was refused before it was understood names none
        return [one for one in _receipts_of_click(stack, click_id) if one.conversion_id in about]
    versions = (*conversion.versions, conversion.as_past)
    speakers = dict.fromkeys([conversion.source, *(one.changed_by for one in versions if one.changed_by)])
    moments = dict.fromkeys([conversion.created_at, *(one.at for one in versions), conversion.updated_at])
    found = {
        receipt.receipt_id: receipt
        for source in speakers
        for moment in moments
        for receipt in stack.receipts.between(source, times.plus(moment, minutes=-QUEUED_MINUTES), moment)
        if receipt.conversion_id == conversion.conversion_id
    }
    return [found[receipt_id] for receipt_id in sorted(found)]


def _receipts_of_click(stack: Stack, click_id: str) -> list[Receipt]:
    receipts = every(lambda *page: stack.receipts.of_click(click_id, None, *page))
    return sorted(receipts, key=lambda receipt: receipt.receipt_id)
