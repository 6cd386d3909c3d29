"""The load benchmark's own counting: growth of memory by hand, and what counts as an answer or a failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from eval.run import BENCHMARKS
from eval.server import GROUPS, run_server
from eval.server_load import Load, _ask, _report


def test_growth_compares_the_last_third_with_the_second() -> None:
    load = Load(memory=[(0.0, 900.0), (11.0, 100.0), (19.0, 120.0), (21.0, 121.0), (29.0, 121.0), (31.0, 999.0)])
    assert load.memory_growth(30.0) == pytest.approx(0.1)  # 121 against the mean of 100 and 120


def test_growth_is_unknown_without_both_thirds() -> None:
    assert Load(memory=[(1.0, 5.0)]).memory_growth(30.0) is None


def run(reply: Callable[[httpx.Request], httpx.Response], use: Callable) -> Load:
    async def go() -> Load:
        found = Load()
        async with httpx.AsyncClient(base_url="http://server", transport=httpx.MockTransport(reply)) as client:
            await use(client, found)
        return found

    return asyncio.run(go())


def stream(*events: tuple[str, dict]) -> httpx.Response:
    return httpx.Response(200, text="".join(f"event: {k}\ndata: {json.dumps(d)}\n\n" for k, d in events))


@pytest.mark.parametrize(
    ("answer", "answers", "failure"),
    [
        (stream(("started", {}), ("claim", {}), ("done", {})), 1, ""),
        (stream(("started", {}), ("error", {})), 0, "last event ['error']"),
        (stream(("started", {}), ("claim", {})), 0, "last event ['claim']"),  # cut off
        (httpx.Response(429, text="{}"), 0, "status 429"),
    ],
)
def test_an_answer_counts_when_its_last_event_is_done(answer: httpx.Response, answers: int, failure: str) -> None:
    found = run(lambda _: answer, lambda client, load: _ask(client, load, 0, end=0.0))
    assert found.answers == answers and bool(found.failures) == bool(failure)
    assert all(failure in f for f in found.failures)


@pytest.mark.parametrize(("state", "jobs"), [("done", 1), ("failed", 0)])
def test_a_report_counts_when_its_job_ends_done(state: str, jobs: int) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(202, json={"id": "report-1"})
        return stream(("progress", {"state": "running"}), ("end", {"state": state}))

    found = run(reply, lambda client, load: _report(client, load, 0, wait=0.0))
    assert found.jobs == jobs and len(found.failures) == 1 - jobs


def test_a_server_that_is_gone_is_a_failure_and_no_crash() -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    assert len(run(reply, lambda client, load: _ask(client, load, 0, end=0.0)).failures) == 1
    assert len(run(reply, lambda client, load: _report(client, load, 0, wait=0.0)).failures) == 1


def test_the_benchmark_is_registered_with_its_groups() -> None:
    assert BENCHMARKS["server"] is run_server and {"load", "start"} <= set(GROUPS)
