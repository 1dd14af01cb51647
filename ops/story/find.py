"""Find the conversion that an id belongs to, and everything that was recorded about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import takewhile

from ops.listing import every
from ops.parallel import run_in_parallel
from ops.stacks import OperatorError, Stack
from ops.story.timeline import Story
from ricochet.errors import InvalidClickIdError
from ricochet.ledger.commission import referrer_at_credit
from ricochet.ledger.conversion import Conversion, day_shards
from ricochet.ledger.earning import Earning
from ricochet.ledger.receipt import Receipt
from ricochet.values import ids, times

QUEUED_MINUTES = 60
"""How much earlier than its effect a postback may have arrived, if our side failed on it at first."""


class AmbiguousError(OperatorError):
    """More than one conversion has this id."""


def find_story(stack: Stack, some_id: str, days: int) -> Story:
    """Return the story behind our id, the source's own id, a click id or a receipt id.

    A source's id that was reported with an event is searched in the conversions of the last `days` days.
    Raise OperatorError if nothing has this id, AmbiguousError if several conversions have it.
    """
    click_id = _as_click_id(some_id)
    if click_id is not None:
        return _story_of_click(stack, click_id)
    receipt = stack.receipts.get(some_id)
    if receipt is not None and not receipt.conversion_id and receipt.click_id:
        return _story_of_click(stack, receipt.click_id)
    conversion = stack.conversions.get((receipt and receipt.conversion_id) or some_id)
    if conversion is not None:
        return _load_story(stack, conversion)
    conversions = _with_source_id(stack, some_id) or list(_recent_with_source_id(stack, some_id, days))
    if not conversions:
        raise OperatorError(
            f"no conversion has the id {some_id}; ids that were reported with an event were searched for {days} days "
            "(--days searches further back). A refused postback has a receipt only: see `receipts`"
        )
    return _load_story(stack, _only_one(conversions, some_id))


def _only_one(conversions: list[Conversion], some_id: str) -> Conversion:
    if len(conversions) > 1:
        lines = "\n".join(f"  {one.conversion_id}  {one.source}  {one.status}  {one.updated_at}" for one in conversions)
        raise AmbiguousError(f"{len(conversions)} conversions have the id {some_id}; choose one:\n{lines}")
    return conversions[0]


def _as_click_id(text: str) -> str | None:
    try:
        return ids.parse_click_id(text)
    except InvalidClickIdError:
        return None


def _story_of_click(stack: Stack, click_id: str) -> Story:
    click, receipts = stack.clicks.get(click_id), _receipts_of_click(stack, click_id)
    conversion_ids = dict.fromkeys(receipt.conversion_id for receipt in receipts if receipt.conversion_id)
    if click and click.outcome:
        conversion_ids[click.outcome.conversion_id] = None
    conversions = [one for one in map(stack.conversions.get, conversion_ids) if one is not None]
    if conversions:
        return _load_story(stack, _only_one(conversions, f"click {click_id}"))
    if click is None and not receipts:
        raise OperatorError(f"there is no click {click_id}; clicks are deleted 30 days after they expire")
    return Story(click, receipts=tuple(receipts))


def _with_source_id(stack: Stack, source_id: str) -> list[Conversion]:
    """Look up the source's id for every source: our conversion ids are computed from source and source's id."""
    sources = [network.source for network in every(stack.networks.list_page)]
    products = every(lambda *page: stack.products.list_page(None, *page))
    sources += [f"product:{product.product_id}" for product in products]
    keys = (("transaction", source_id, ""), ("conversion", source_id))
    conversion_ids = [ids.conversion_id(source, key) for source in sources for key in keys]
    conversions = run_in_parallel(stack.conversions.get, conversion_ids)
    return [conversion for conversion in conversions if conversion is not None]


def _recent_with_source_id(stack: Stack, source_id: str, days: int) -> Iterator[Conversion]:
    now = times.now()
    for back in range(days):
        day = (times.parse(now) - timedelta(days=back)).date().isoformat()
        start = times.start_of(day)
        for shard in day_shards(day):
            for conversion in stack.conversions.changed(shard, start, times.plus(start, days=1)):
                if source_id in (conversion.transaction_id, conversion.source_conversion_id):
                    yield conversion


def _load_story(stack: Stack, conversion: Conversion) -> Story:
    click_id = _as_click_id(conversion.click_id or "")
    referrer_id = _referrer(stack, conversion)
    return Story(
        click=stack.clicks.get(click_id) if click_id else None,
        conversion=conversion,
        receipts=tuple(_receipts(stack, conversion, click_id)),
        earnings=tuple(_earnings(stack, conversion.user_id, conversion)),
        referrer_id=referrer_id,
        commissions=tuple(_earnings(stack, referrer_id, conversion)),
        deliveries=tuple(stack.deliveries.of_conversion(conversion.conversion_id)),
    )


def _referrer(stack: Stack, conversion: Conversion) -> str | None:
    user = stack.users.get(conversion.user_id) if conversion.user_id else None
    return referrer_at_credit(user, conversion)


def _earnings(stack: Stack, user_id: str | None, conversion: Conversion) -> Iterator[Earning]:
    """Return the user's ledger rows for the conversion, oldest first; read no row from before the conversion."""
    if user_id is None:
        return iter(())
    newest_first = every(lambda *page: stack.earnings.of_user(user_id, *page))
    since = takewhile(lambda row: row.earned_at >= conversion.created_at, newest_first)
    return reversed([row for row in since if row.conversion_id == conversion.conversion_id])


def _receipts(stack: Stack, conversion: Conversion, click_id: str | None) -> list[Receipt]:
    """Return the conversion's receipts, found by its click, or by the times of its changes if it has no click."""
    if click_id is not None:
        accepted_ids = (conversion.conversion_id, None)  # a postback that was refused early has no conversion id
        return [one for one in _receipts_of_click(stack, click_id) if one.conversion_id in accepted_ids]
    versions = (*conversion.versions, conversion.as_past)
    sources = dict.fromkeys([conversion.source, *(one.changed_by for one in versions if one.changed_by)])
    change_times = dict.fromkeys([conversion.created_at, *(one.at for one in versions), conversion.updated_at])
    receipts = {
        receipt.receipt_id: receipt
        for source in sources
        for changed_at in change_times
        for receipt in stack.receipts.between(source, times.plus(changed_at, minutes=-QUEUED_MINUTES), changed_at)
        if receipt.conversion_id == conversion.conversion_id
    }
    return [receipts[receipt_id] for receipt_id in sorted(receipts)]


def _receipts_of_click(stack: Stack, click_id: str) -> list[Receipt]:
    receipts = every(lambda *page: stack.receipts.of_click(click_id, None, *page))
    return sorted(receipts, key=lambda receipt: receipt.receipt_id)
