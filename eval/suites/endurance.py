"""Does a run survive being killed, and does it stay fast and small? Rows of ``radomica eval suites``.

A child process runs made questions with a scripted backend and is killed with SIGKILL at random points, in the middle
of a line as often as chance has it; the same command goes on each time. What must hold: no item twice, none missing,
and the figures of a run that nobody killed. Cost (seconds, tokens) is no such figure.

Speed is measured over reading back and writing the figures too. Memory is the process's resident size, sampled at every
thousandth answer, in a process of its own; the figures at the end, which hold one small record an item, are said apart.

NOT measured: loss of power (lines are handed to the system, not flushed to the disk), Windows.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assistant.llm.chat_model import ChatRequest
from encoders.errors import UnavailableError
from eval.benchmark import Better, Progress, Row
from eval.suites.ask import Reply, System
from eval.suites.folder import ITEMS, METRICS, RunConfig, lines
from eval.suites.item import Item, Kind, Suite
from eval.suites.run import run_suite
from eval.suites.scripted import Scripted

KILLS, KILLED_ITEMS, PACE_S = 20, 3000, 0.0005
FAST_ITEMS, LEAST_PER_SECOND = 20_000, 2000.0
MANY_ITEMS, SAMPLE_EVERY, MOST_GROWTH = 100_000, 1000, 0.05
LONGEST_WAIT_S = 120.0
_STATM = Path("/proc/self/statm")
_NOT_FIGURES = ("cost", "commit", "machine")


def made_suite(count: int) -> Suite:
    """``count`` made questions in four sets; every seventh shares a case with others."""
    items = tuple(
        Item(
            f"set{i % 4}", str(i), f"A {20 + i % 70}-year-old woman: does the made question {i} hold?", Kind.CHOICE,
            {"A": "yes", "B": "no", "C": "maybe"}, ("ABC"[i % 3],), case=f"case{i % 11}" if i % 7 == 0 else None,
        )
        for i in range(count)
    )  # fmt: skip
    return Suite("cases", items, (), "made")


def _config() -> RunConfig:
    return RunConfig("cases", "made", "made", System.LLM, "scripted:A")


def _paced(item: Item, request: ChatRequest) -> str:
    """Always "A", slowly enough that a kill finds the run at work."""
    time.sleep(PACE_S)
    return Scripted("scripted:A")(item, request)


def run_made(count: int, out: Path, reply: Reply) -> dict[str, Any]:
    """Run (or go on with) the made questions in ``out``."""
    return run_suite(_config(), made_suite(count), reply, out)


def resume_rows(
    seed: int, shared: Path, progress: Progress, *, kills: int = KILLS, items: int = KILLED_ITEMS
) -> tuple[Row, ...]:
    """Kills that found the run at work; items twice or missing; figures that differ from the run nobody killed."""
    del shared
    start = time.monotonic()
    with TemporaryDirectory(prefix="radomica-suites-") as folder:
        killed, whole = Path(folder) / "killed", Path(folder) / "whole"
        inside = _kill_often(killed, kills, items, random.Random(seed), progress)
        again = run_made(items, killed, Scripted("scripted:A"))
        never = run_made(items, whole, Scripted("scripted:A"))
        keys = [line["key"] for line in lines(killed / ITEMS)]
        written = json.loads((killed / METRICS).read_text(encoding="utf-8"))
    wrong = len(keys) - len(set(keys)) + abs(len(set(keys)) - items)
    differ = [k for k in never if k not in _NOT_FIGURES and (again[k] != never[k] or k not in written)]
    seconds = time.monotonic() - start
    return (
        Row("resume.kills_inside_the_run", float(inside), float(kills), Better.HIGHER, kills, seconds),
        Row("resume.items_twice_or_missing", float(wrong), 0, Better.LOWER, items, 0.0),
        Row("resume.figures_that_differ", float(len(differ)), 0, Better.LOWER, len(never), 0.0, note=", ".join(differ)),
    )


def _kill_often(out: Path, kills: int, items: int, rng: random.Random, progress: Progress) -> int:
    """Kill the run once at each of ``kills`` random points of its items; gives the kills that found it at work."""
    points = sorted(rng.randrange(1, items - items // 50) for _ in range(kills))
    inside = 0
    for number, point in enumerate(points, 1):
        if progress and number % 5 == 1:
            progress(f"kill {number} of {kills}")
        child = multiprocessing.get_context("fork").Process(target=run_made, args=(items, out, _paced), daemon=True)
        child.start()
        _wait_for(out / ITEMS, point, child.is_alive)
        time.sleep(rng.uniform(0, 4 * PACE_S))
        at_work = child.is_alive()
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        inside += at_work and not (out / METRICS).exists()
    return inside


def _wait_for(path: Path, count: int, alive: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST_WAIT_S
    while alive() and time.monotonic() < end:
        if path.exists() and path.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.002)
    if alive():
        raise UnavailableError(f"the run to be killed wrote fewer than {count} items in {LONGEST_WAIT_S:.0f} s.")


def speed_rows(
    seed: int, shared: Path, progress: Progress, *, fast: int = FAST_ITEMS, many: int = MANY_ITEMS
) -> tuple[Row, ...]:
    """Scripted items a second on one core; growth of peak memory from the first half of many items to the second."""
    del seed, shared
    with TemporaryDirectory(prefix="radomica-suites-") as folder:
        if progress:
            progress(f"{fast} items by the clock")
        start = time.process_time()
        run_made(fast, Path(folder) / "fast", Scripted("scripted:A"))
        spent = time.process_time() - start
        speed = Row("speed.items_per_s", fast / spent, LEAST_PER_SECOND, Better.HIGHER, fast, spent,
                    note="processor time, parallel 1, figures and page included")  # fmt: skip
        if not _STATM.exists():
            note = "the resident size is read from /proc, which this system lacks"
            return speed, Row("speed.memory_growth", None, MOST_GROWTH, Better.LOWER, 0, 0.0, note=note)
        if progress:
            progress(f"{many} items for memory")
        begun = time.monotonic()
        sizes, last = _memory(many, Path(folder) / "many")
    half = len(sizes) // 2
    first, second = max(sizes[:half]), max(sizes[half:])
    note = f"peak {first / 2**20:.0f} MiB, then {second / 2**20:.0f}; {last / 2**20:.0f} while the figures are made"
    growth = Row("speed.memory_growth", second / first - 1, MOST_GROWTH, Better.LOWER, many, time.monotonic() - begun,
                 note=note)  # fmt: skip
    return speed, growth


def _memory(many: int, out: Path) -> tuple[list[int], int]:
    """Resident bytes at every SAMPLE_EVERY-th answer, and at the end, of a fresh process."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=_measure, args=(many, out, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        found = ours.recv()
    except EOFError as error:
        raise UnavailableError("the process whose memory is measured ended early; run it again alone.") from error
    child.join()
    return found


def _measure(many: int, out: Path, said: Connection) -> None:
    sizes: list[int] = []
    scripted, asked = Scripted("scripted:A"), 0

    def reply(item: Item, request: ChatRequest) -> str:
        nonlocal asked
        asked += 1
        if asked % SAMPLE_EVERY == 0:
            sizes.append(_resident())
        return scripted(item, request)

    run_made(many, out, reply)
    said.send((sizes, _resident()))


def _resident() -> int:
    return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
