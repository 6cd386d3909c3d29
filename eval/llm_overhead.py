"""How much of a report's time is not the language model's: pipeline against the same requests sent raw.

A local server that speaks the protocol writes at the rate of a 1 B-class model (eval/paced_server.py). For each
concurrency the pipeline makes the reports, its requests are kept, and then the very same requests go to the same server
raw, as concurrently, with nothing before or after. overhead = (pipeline - raw) / pipeline, both wall times of one run.

Cases are read and prepared inside the timed part (predict, explain, retrieve, collect), from patients in memory; the
reading of files is not in it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from assistant.llm.chat_model import ChatRequest
from assistant.llm.openai import OpenAIModel
from assistant.pipeline import run
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row
from eval.paced_server import paced_server

BAR = 0.10
TOKENS_PER_S = 12.0
"""Assumed rate of one answer: 10^9 weights of two bytes are read once a token, and two cores read about 25 GB/s."""


class RecordingModel(OpenAIModel):
    """The OpenAI backend that keeps what it was asked, section batches and single requests apart.

    CONCURRENT is one: a 1 B-class model on two cores gains nothing from requests side by side.
    """

    CONCURRENT = 1

    def __init__(self, address: str) -> None:
        super().__init__(address, timeout_s=600.0)
        self.asked: list[ChatRequest] = []

    def generate(self, request: ChatRequest) -> str:
        """As the backend, kept."""
        self.asked.append(request)
        return super().generate(request)


def overhead_rows(*, seed: int, concurrencies: Sequence[int] = (1, 16), progress: Progress = None) -> tuple[Row, ...]:
    """One row per concurrency."""
    rows = []
    run_once = sample_case(0, seed).patient
    with paced_server(tokens_per_s=1e6) as url:
        run(run_once, RecordingModel(url), seed=seed)  # weights, indexes and imports are loaded before the clock starts
    for concurrency in concurrencies:
        start = time.monotonic()
        with paced_server(tokens_per_s=TOKENS_PER_S) as url:
            whole, asked, tokens = _pipeline(url, concurrency, seed)
            raw = _raw(url, asked)
        if progress:
            progress(f"overhead: concurrency {concurrency}, {whole:.1f} s with the pipeline, {raw:.1f} s raw")
        note = (
            f"{whole:.1f} s with the pipeline, {raw:.1f} s raw; emulated: {TOKENS_PER_S:g} tokens/s for each "
            f"answer, {sum(map(len, asked))} answers, {tokens:,} tokens; "
            f"machine load {os.getloadavg()[0]:.1f} at the end"
        )
        share = (whole - raw) / whole
        rows.append(
            Row(
                f"overhead.c{concurrency}",
                share,
                BAR,
                Better.LOWER,
                concurrency,
                time.monotonic() - start,
                note=note,
            )
        )
    return tuple(rows)


def _pipeline(url: str, concurrency: int, seed: int) -> tuple[float, list[list[ChatRequest]], int]:
    """(seconds, requests of each report, tokens written): ``concurrency`` reports made at once."""
    patients = [sample_case(1 + i, seed).patient for i in range(concurrency)]
    models = [RecordingModel(url) for _ in patients]
    start = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(lambda pair: run(pair[0], pair[1], seed=seed), zip(patients, models, strict=True)))
    return time.perf_counter() - start, [m.asked for m in models], sum(m.tokens.completion for m in models)


def _raw(url: str, asked: Sequence[Sequence[ChatRequest]]) -> float:
    """Seconds of the same requests alone, one report's after another, the reports side by side."""
    models = [OpenAIModel(url, timeout_s=600.0) for _ in asked]
    start = time.perf_counter()
    with ThreadPoolExecutor(len(asked)) as pool:
        list(pool.map(lambda pair: [pair[0].generate(r) for r in pair[1]], zip(models, asked, strict=True)))
    return time.perf_counter() - start
