"""Work that runs ahead in threads, a bounded distance."""

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

    `items` is drawn from in the caller's thread. An error of one item is raised by that item's `result()` only.
    Every thread calls `begin` first. When the caller stops, work not begun is dropped and work begun is waited for;
    when the items end, all of it is: the caller may hold futures that it has not looked at yet.
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
