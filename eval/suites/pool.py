"""Work on many things at once, and say now and then how far it is.

Not known here: what the work is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from encoders.errors import SettingsError
from eval.benchmark import Progress

SAID_EVERY_S = 5.0
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def in_parallel(work: Callable[[_In], _Out], things: Sequence[_In], parallel: int) -> Iterator[tuple[_In, _Out]]:
    """(thing, result) as they get done; at most ``2 * parallel`` are under way, so memory stays flat.

    Raises
    ------
    SettingsError: ``parallel`` below 1.
    Whatever ``work`` raises, at once; what was under way is lost.
    """
    if parallel < 1:
        raise SettingsError(f"--parallel is {parallel}; it must be at least 1.")
    if parallel == 1:
        for thing in things:
            yield thing, work(thing)
        return
    with ThreadPoolExecutor(parallel) as pool:
        under_way: dict[Future[_Out], _In] = {}
        rest = iter(things)
        try:
            while True:
                while len(under_way) < 2 * parallel and (thing := next(rest, None)) is not None:
                    under_way[pool.submit(work, thing)] = thing
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    yield under_way.pop(future), future.result()
        finally:
            pool.shutdown(cancel_futures=True)


class Speaker:
    """Says now and then how many things are done and how long the rest will take."""

    def __init__(self, progress: Progress, what: str, total: int, done: int) -> None:
        self._progress, self._what, self._total, self._done, self._now = progress, what, total, done, 0
        self._start = self._last = time.monotonic()
        if progress and done:
            progress(f"{done} of {total} {what} were done before; going on")

    def one_more(self) -> None:
        """One more is done."""
        self._done, self._now = self._done + 1, self._now + 1
        now = time.monotonic()
        if self._progress and (now - self._last > SAID_EVERY_S or self._done == self._total):
            left = (now - self._start) / self._now * (self._total - self._done)
            self._progress(f"{self._done}/{self._total} {self._what}, {left:.0f} s to go")
            self._last = now
