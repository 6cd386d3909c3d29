"""Row ``cold`` of the retrieval benchmark: from a finished import to the first hits of the shipped index.

A fresh process with an empty RADOMICA_HOME, three times: the first start a user sees, nothing kept from before.
Import time is not counted (the libraries': torch, transformers, FAISS).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from encoders.errors import ContractError
from eval.benchmark import Better, Progress, Row

STARTS = 3
SECONDS = 3.0
PROGRAM = """
import time
import sentence_transformers
from retrieval.passage import Query
from retrieval.search import search
started = time.perf_counter()
hits = search(Query("osimertinib for EGFR-mutated lung adenocarcinoma", oncotree_code="LUAD"))
print(len(hits), time.perf_counter() - started)
"""


def cold_rows(seed: int, shared: Path, progress: Progress) -> tuple[Row, ...]:
    """The median of three starts; the interval is the shortest and the longest.

    Raises
    ------
    ContractError: a start failed or found nothing.
    """
    started = time.monotonic()
    spent = sorted(_start() for _ in range(STARTS))
    return (
        Row("cold.seconds", statistics.median(spent), SECONDS, Better.LOWER, STARTS, time.monotonic() - started,
            (spent[0], spent[-1]), f"shortest and longest start; load {os.getloadavg()[0]:.1f}"),
    )  # fmt: skip


def _start() -> float:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "RADOMICA_HOME": home, "RADOMICA_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False,
            cwd=Path(__file__).resolve().parents[1],
        )  # fmt: skip
    if done.returncode != 0:
        raise ContractError(f"a cold start of the search failed: {done.stderr.strip().splitlines()[-1:]}")
    hits, seconds = done.stdout.split()[-2:]
    if int(hits) < 1:
        raise ContractError("a cold start of the search found nothing for osimertinib in LUAD; look at the floor.")
    return float(seconds)
