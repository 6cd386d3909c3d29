"""The line of questions: bounded threads, honest waiting, stopping, and errors that reach who asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from app.chat_pool import ChatPool, Failed, Stopped, Waiting
from encoders.errors import InputError, UnavailableError


@pytest.fixture
def pool() -> Iterator[ChatPool]:
    made = ChatPool(workers=1, max_waiting=2)
    yield made
    made.close()


def test_events_arrive_in_order_and_the_pool_is_empty_afterwards(pool: ChatPool) -> None:
    async def ask() -> list[int]:
        return [e async for e in pool.submit(lambda: iter(range(5)), owner="a").events()]

    assert asyncio.run(ask()) == [0, 1, 2, 3, 4]
    assert pool.counts() == (0, 0)


def test_who_waits_is_told_how_many_come_first_and_is_then_answered(pool: ChatPool) -> None:
    go_on = threading.Event()

    def slow() -> Iterator[str]:
        go_on.wait(20)
        yield "first"

    async def ask() -> tuple[list, list]:
        first = pool.submit(slow, owner="a")
        while pool.counts() != (0, 1):
            await asyncio.sleep(0.01)
        second, third = (pool.submit(lambda: iter(["x"]), owner="a") for _ in range(2))
        with pytest.raises(UnavailableError, match="2 questions wait already"):
            pool.submit(lambda: iter(["x"]), owner="a")
        told = []
        async for event in third.events(beat=0.02):
            told.append(event)
            go_on.set()
        return told, [e async for e in first.events()] + [e async for e in second.events()]

    told, others = asyncio.run(ask())
    assert told[0] == Waiting(2) and told[-1] == "x"
    assert others == ["first", "x"]


def test_a_stopped_answer_ends_before_its_next_event_and_closes_its_source(pool: ChatPool) -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            yield from iter(int, 1)  # 0, 0, 0 ...
        finally:
            closed.set()

    async def ask() -> object:
        run = pool.submit(endless, owner="a")
        last: object = None
        async for event in run.events():
            last = event
            pool.run(run.chat_id).stop() if pool.run(run.chat_id) else None
        return last

    assert isinstance(asyncio.run(ask()), Stopped)
    assert closed.wait(10) and pool.counts() == (0, 0)


def test_a_question_stopped_while_it_waits_is_never_begun(pool: ChatPool) -> None:
    begun, go_on = [], threading.Event()

    async def ask() -> list:
        first = pool.submit(lambda: iter([go_on.wait(20)]), owner="a")
        waiting = pool.submit(lambda: iter([begun.append(1)]), owner="a")
        waiting.stop()
        told = [e async for e in waiting.events()]
        go_on.set()
        return told + [e async for e in first.events()]

    assert asyncio.run(ask()) == [Stopped(), True]
    assert not begun


@pytest.mark.parametrize("error", [InputError("bad question"), ZeroDivisionError("a bug")])
def test_an_error_is_the_last_event_and_the_thread_goes_on(pool: ChatPool, error: Exception) -> None:
    def fails() -> Iterator[str]:
        yield "one"
        raise error

    async def ask() -> list:
        found = [e async for e in pool.submit(fails, owner="a").events()]
        return found + [e async for e in pool.submit(lambda: iter(["next"]), owner="a").events()]

    assert asyncio.run(ask()) == ["one", Failed(error), "next"]


def test_leaving_the_stream_stops_the_answer(pool: ChatPool) -> None:
    async def ask() -> None:
        run = pool.submit(lambda: iter(int, 1), owner="a")
        events = run.events()
        await anext(events)
        await events.aclose()
        for _ in range(500):
            if pool.counts() == (0, 0):
                return
            await asyncio.sleep(0.01)

    asyncio.run(ask())
    assert pool.counts() == (0, 0)
