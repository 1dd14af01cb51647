"""All items of a table or index that is read page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ricochet.dynamodb.paging import MAX_LIMIT, Page


def every[E](page_of: Callable[[int, str | None], Page[E]]) -> Iterator[E]:
    """Yield all items; each page is read when its first item is needed."""
    cursor: str | None = None
    while True:
        page = page_of(MAX_LIMIT, cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return
