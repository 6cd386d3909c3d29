"""A few threads answer all questions; the rest wait in line and are told so.

Every answer asks one language model on the same cores: fifty at once would be slower than one after another, and would
leave none for the page. Not known here: HTTP (app/routes/), or how an answer is made (app/workbench.py).
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from encoders.errors import UnavailableError

CHAT_WORKERS = 2
"""Answers made at the same time."""

MAX_WAITING = 500
"""Questions that may wait; one more is refused."""

BEAT_SECONDS = 2.0
"""How often a question that waits, or an answer that takes long, gives a sign of life."""


@dataclass(frozen=True)
class Waiting:
    """Nothing new yet: ``ahead`` questions come first (0 = being answered now)."""

    ahead: int


@dataclass(frozen=True)
class Stopped:
    """The answer was ended by who asked it."""


@dataclass(frozen=True)
class Failed:
    """The answer ended with an error, foreseen (a RadomicaError) or not."""

    error: BaseException


class ChatRun:
    """One question from its place in line to its last event. Made by ``ChatPool.submit`` inside a running loop."""

    def __init__(self, make: Callable[[], Iterator[Any]], owner: str, pool: ChatPool) -> None:
        self.chat_id = f"chat-{secrets.token_hex(6)}"
        self.owner = owner
        self._make, self._pool = make, pool
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._stop = threading.Event()
        self.future: Future[None] | None = None

    @property
    def ahead(self) -> int:
        """How many questions come first."""
        return self._pool.ahead(self)

    def stop(self) -> None:
        """End the answer: at once when it waits, else before its next event."""
        self._stop.set()
        if self.future is not None:
            self.future.cancel()

    async def events(self, *, beat: float = BEAT_SECONDS) -> AsyncIterator[Any]:
        """Events of the answer as they come, ``Waiting`` in between; last ``Stopped`` or ``Failed`` where it was so.

        Leaving the iteration early stops the answer.
        """
        try:
            while True:
                try:
                    item = await asyncio.wait_for(self._events.get(), timeout=beat)
                except TimeoutError:
                    yield Waiting(self.ahead)
                    continue
                if isinstance(item, _End):
                    if item.error is not None:
                        yield Failed(item.error)
                    elif self._stop.is_set():
                        yield Stopped()
                    return
                yield item
        finally:
            self.stop()

    def work(self) -> None:
        """Make the answer; runs in a thread of the pool."""
        self._pool.begin(self)
        if self._stop.is_set():
            return
        events = iter(self._make())
        for event in events:
            self._put(event)
            if self._stop.is_set():
                if hasattr(events, "close"):
                    events.close()
                return

    def ended(self, future: Future[None]) -> None:
        """Say that no event comes any more; runs where the future ended."""
        self._pool.forget(self)
        self._put(_End(None if future.cancelled() else future.exception()))

    def _put(self, item: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events.put_nowait, item)


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class ChatPool:
    """The line of questions and the threads that answer them."""

    def __init__(self, *, workers: int = CHAT_WORKERS, max_waiting: int = MAX_WAITING) -> None:
        self._threads = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="radomica-chat")
        self._max_waiting = max_waiting
        self._lock = threading.Lock()
        self._line: OrderedDict[str, ChatRun] = OrderedDict()
        self._running: dict[str, ChatRun] = {}

    def submit(self, make: Callable[[], Iterator[Any]], *, owner: str) -> ChatRun:
        """Put a question in line; ``make`` starts its answer, in another thread.

        Raises
        ------
        UnavailableError: too many wait already.
        """
        run = ChatRun(make, owner, self)
        with self._lock:
            if len(self._line) >= self._max_waiting:
                raise UnavailableError(
                    f"{len(self._line)} questions wait already, the most this server keeps; ask again later."
                )
            self._line[run.chat_id] = run
        run.future = self._threads.submit(run.work)
        run.future.add_done_callback(run.ended)
        return run

    def run(self, chat_id: str) -> ChatRun | None:
        """A question that waits or is being answered, or None."""
        with self._lock:
            return self._line.get(chat_id) or self._running.get(chat_id)

    def ahead(self, run: ChatRun) -> int:
        """How many questions stand before this one."""
        with self._lock:
            return next((i + 1 for i, known in enumerate(self._line) if known == run.chat_id), 0)

    def running(self) -> tuple[str, ...]:
        """Ids of the answers being made."""
        with self._lock:
            return tuple(self._running)

    def counts(self) -> tuple[int, int]:
        """(waiting, being answered)."""
        with self._lock:
            return len(self._line), len(self._running)

    def begin(self, run: ChatRun) -> None:
        """The question is out of the line and being answered."""
        with self._lock:
            self._line.pop(run.chat_id, None)
            self._running[run.chat_id] = run

    def forget(self, run: ChatRun) -> None:
        """The question is answered or given up."""
        with self._lock:
            self._line.pop(run.chat_id, None)
            self._running.pop(run.chat_id, None)

    def close(self) -> None:
        """Stop every answer and take no more."""
        with self._lock:
            runs = [*self._line.values(), *self._running.values()]
        for run in runs:
            run.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
