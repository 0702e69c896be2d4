"""Computes the next few items of a sequence in threads."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int = 1,
    depth: int = 1,
    begin: Callable[[], None] | None = None,
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Yield each item with its `function(item)`, in order, while threads compute the next `depth` items.

    `items` is iterated in the caller's thread. An error of one item is raised by that item's `result()` only.
    Every thread calls `begin` first. When the caller stops, pending work is cancelled and running work is waited for;
    when the items end, all work is waited for: the caller may hold futures that it has not read yet.
    """
    pending: deque[tuple[Item, Future[Result]]] = deque()
    executor = ThreadPoolExecutor(workers, initializer=begin)
    ended = False
    try:
        for item in items:
            pending.append((item, executor.submit(function, item)))
            if len(pending) > depth:
                yield pending.popleft()
        while pending:
            yield pending.popleft()
        ended = True
    finally:
        executor.shutdown(wait=True, cancel_futures=not ended)
