"""Work on the next thing while the last one is used."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def one_ahead(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` of each item in turn, computed in another thread while the caller uses the one before.

    What `work` raises is raised where its result would have come.
    """
    with ThreadPoolExecutor(max_workers=1) as worker:
        waiting = None
        for item in items:
            coming = worker.submit(work, item)
            if waiting:
                yield waiting.result()
            waiting = coming
        if waiting:
            yield waiting.result()
