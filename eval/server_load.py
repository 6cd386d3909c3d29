"""The server under load, and how soon it is there: groups ``load`` and ``start`` of ``radomica eval server``.

A real server process on loopback with the embedded language model and the synthetic demo case; clients in this process.
Every figure is of the whole machine: on two cores, clients and server share them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from encoders.errors import UnavailableError
from eval.benchmark import Better, Progress, Row
from eval.server_process import Server, running_server

CHATS, JOBS, SECONDS = 50, 20, 180.0
"""Questions at a time, report jobs in all, and for how long."""

DEMO = "demo-synthetic"
QUESTIONS = (
    "What does the imaging show?",
    "Which therapies are options for this patient?",
    "What is the predicted survival?",
    "Which variants were found?",
    "Which data are missing?",
)
HEALTH_BAR_MS, MEMORY_BAR, READY_BAR_S, OPEN_BAR_S = 500.0, 0.10, 10.0, 2.0
ANSWER_LIMIT_S, JOB_LIMIT_S, DEMO_LIMIT_S = 600.0, 1800.0, 300.0
HEALTH_EVERY_S, MEMORY_EVERY_S = 0.1, 1.0


@dataclass
class Load:
    """What happened: answers and jobs that ended well, failures in words, and the two series of measurements."""

    answers: int = 0
    jobs: int = 0
    failures: list[str] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)  # (seconds since start, MiB)

    def memory_growth(self, seconds: float) -> float | None:
        """Mean of the last third against the mean of the second: 0.05 = 5 % more; None without both."""
        second = [m for t, m in self.memory if seconds / 3 <= t < 2 * seconds / 3]
        third = [m for t, m in self.memory if 2 * seconds / 3 <= t < seconds]
        if not second or not third:
            return None
        return (sum(third) / len(third)) / (sum(second) / len(second)) - 1.0


def load_rows(
    seed: int, progress: Progress = None, *, seconds: float = SECONDS, chats: int = CHATS, jobs: int = JOBS
) -> tuple[Row, ...]:
    """Rows: failures, growth of memory from the second third to the last, slowest /healthz in ms, answers a minute."""
    start = time.monotonic()
    with TemporaryDirectory(prefix="radomica-load-") as home, running_server(Path(home)) as server:
        _wait_for_demo(server, progress)
        found = asyncio.run(_run(server, seed, seconds, chats, jobs, progress))
    took = time.monotonic() - start
    growth, done = found.memory_growth(seconds), found.answers + found.jobs
    said = "; ".join(dict.fromkeys(found.failures[:3]))
    peak = max((m for _, m in found.memory), default=0.0)
    worst = max(found.health_ms, default=float("inf"))
    median = sorted(found.health_ms)[len(found.health_ms) // 2] if found.health_ms else float("inf")
    return (
        Row("load.failed", float(len(found.failures)), 0.0, Better.LOWER, done + len(found.failures), took, note=said),
        Row("load.answers", float(found.answers), float(chats), Better.HIGHER, chats, took),
        Row("load.reports", float(found.jobs), float(jobs), Better.HIGHER, jobs, took),
        Row(
            "load.memory_growth", growth, MEMORY_BAR, Better.LOWER, len(found.memory), took,
            note=f"peak {peak:.0f} MiB" if growth is not None else "too short to compare its thirds",
        ),
        Row(
            "load.slowest_health_ms", worst, HEALTH_BAR_MS, Better.LOWER, len(found.health_ms), took,
            note=f"median {median:.1f} ms",
        ),
    )  # fmt: skip


def start_rows(seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Rows: seconds from ``radomica serve`` to a page that answers (a second start), and to open a case in it."""
    if progress:
        progress("start: the first start fills the caches")
    with TemporaryDirectory(prefix="radomica-start-") as home:
        with running_server(Path(home)) as server:
            _wait_for_demo(server, progress)
        with running_server(Path(home), path="/") as server, _client(server) as client:
            ready = server.ready_seconds
            begun = time.monotonic()
            for path in (f"/v1/cases/{DEMO}", f"/v1/cases/{DEMO}/evidence", f"/v1/cases/{DEMO}/predictions"):
                client.get(path).raise_for_status()
            job = client.get(f"/v1/cases/{DEMO}").json()["latest_report"]
            client.get(f"/v1/reports/{job}", params={"format": "html"}).raise_for_status()
            opened = time.monotonic() - begun
    return (
        Row("start.page_seconds", ready, READY_BAR_S, Better.LOWER, 1, ready),
        Row("start.open_case_seconds", opened, OPEN_BAR_S, Better.LOWER, 1, opened),
    )


@contextmanager
def _client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address, timeout=30.0) as client:
        yield client


def _wait_for_demo(server: Server, progress: Progress) -> None:
    """Until the demo case has its report."""
    if progress:
        progress("waiting for the demo case's report")
    end = time.monotonic() + DEMO_LIMIT_S
    with _client(server) as client:
        while time.monotonic() < end:
            jobs = client.get("/v1/reports").json()["reports"]
            if any(j["state"] == "done" for j in jobs):
                return
            failed = next((j["error"] for j in jobs if j["state"] == "failed"), None)
            if failed:
                raise UnavailableError(f"the demo case's report failed: {failed}")
            time.sleep(0.5)
    raise UnavailableError(f"the demo case has no report after {DEMO_LIMIT_S:.0f} s.")


async def _run(server: Server, seed: int, seconds: float, chats: int, jobs: int, progress: Progress) -> Load:
    found, start = Load(), time.monotonic()
    end = start + seconds
    limits = httpx.Limits(max_connections=chats + jobs + 10)
    async with httpx.AsyncClient(base_url=server.address, timeout=ANSWER_LIMIT_S, limits=limits) as client:
        watched = asyncio.Event()
        watchers = [
            asyncio.create_task(_watch_health(server, found, watched)),
            asyncio.create_task(_watch_memory(server, found, start, watched)),
        ]
        asked = [_ask(client, found, i, end) for i in range(chats)]
        reported = [_report(client, found, seed + i, seconds * i / max(1, jobs)) for i in range(jobs)]
        if progress:
            progress(f"load: {chats} chats and {jobs} reports for {seconds:.0f} s")
        await asyncio.gather(*asked, *reported)
        watched.set()
        await asyncio.gather(*watchers)
    return found


async def _ask(client: httpx.AsyncClient, found: Load, number: int, end: float) -> None:
    """One reader: asks, reads the whole answer, asks the next question, until the time is over."""
    turn = number
    while True:
        body = {"question": QUESTIONS[turn % len(QUESTIONS)]}
        try:
            async with client.stream("POST", f"/v1/cases/{DEMO}/chat", json=body) as answer:
                kinds = [line[7:] async for line in answer.aiter_lines() if line.startswith("event: ")]
        except httpx.HTTPError as error:
            found.failures.append(f"chat: {type(error).__name__} {error}")
        else:
            if answer.status_code == httpx.codes.OK and kinds[-1:] == ["done"]:
                found.answers += 1
            else:
                found.failures.append(f"chat: status {answer.status_code}, last event {kinds[-1:]}")
        turn += 1
        if time.monotonic() >= end:
            return


async def _report(client: httpx.AsyncClient, found: Load, seed: int, wait: float) -> None:
    """One report job, submitted after ``wait`` seconds and followed to its end."""
    await asyncio.sleep(wait)
    try:
        job = (await client.post("/v1/reports", data={"case_id": DEMO, "seed": str(seed)})).json()
        async with client.stream("GET", f"/v1/reports/{job['id']}/events", timeout=JOB_LIMIT_S) as events:
            lines = [json.loads(line[6:]) async for line in events.aiter_lines() if line.startswith("data: ")]
    except (httpx.HTTPError, KeyError) as error:
        found.failures.append(f"report: {type(error).__name__} {error}")
        return
    if lines and lines[-1]["state"] == "done":
        found.jobs += 1
    else:
        found.failures.append(f"report: {lines[-1] if lines else 'no event'}")


async def _watch_health(server: Server, found: Load, watched: asyncio.Event) -> None:
    """Seconds of each /healthz, on a connection of its own."""
    async with httpx.AsyncClient(base_url=server.address, timeout=30.0) as client:
        while not watched.is_set():
            begun = time.perf_counter()
            try:
                (await client.get("/healthz")).raise_for_status()
            except httpx.HTTPError as error:
                found.failures.append(f"health: {type(error).__name__} {error}")
            found.health_ms.append(1000.0 * (time.perf_counter() - begun))
            await asyncio.sleep(HEALTH_EVERY_S)


async def _watch_memory(server: Server, found: Load, start: float, watched: asyncio.Event) -> None:
    while not watched.is_set():
        found.memory.append((time.monotonic() - start, server.memory_mib()))
        await asyncio.sleep(MEMORY_EVERY_S)
