"""Everything in a table or an index that comes in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ricochet.dynamodb.paging import MAX_LIMIT, Page


def every[E](page_of: Callable[[int, str | None], Page[E]]) -> Iterator[E]:
    """All items, page by page as they are asked for."""
    cursor: str | None = None
    while True:
        page = page_of(MAX_LIMIT, cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return
