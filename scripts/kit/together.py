"""Many requests side by side: a small pool of threads (botocore's clients may be used by several at once)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from scripts.kit.console import Progress

WORKERS = 10  # as many connections as a client keeps open (botocore, Config: max_pool_connections)
Answer = TypeVar("Answer")


def together(jobs: Iterable[Callable[[], Answer]], workers: int = WORKERS, what: str = "") -> list[Answer]:
    """What the jobs answer, in their order. After an error, or Ctrl-C, none is begun any more.

    what: is being done, for the line of progress; no line without it
    """
    work = list(jobs)
    with ThreadPoolExecutor(workers) as pool, Progress(what, len(work)) as progress:
        running = [pool.submit(job) for job in work]
        try:
            for number, ended in enumerate(as_completed(running), 1):
                ended.result()
                progress(number)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [ended.result() for ended in running]
