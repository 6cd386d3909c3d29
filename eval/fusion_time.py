"""How long one cancer's five folds take and how much memory, in a process of its own.

Nothing is read from an earlier run. Not known here: what else the machine was doing meanwhile.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eval.benchmark import Better, Row
from eval.fusion_runs import FusionBench

SECONDS_BAR = 180.0
GIB_BAR = 3.0
LARGEST_FIRST: tuple[str, ...] = ("brca", "gbmlgg", "ucec", "kirc", "blca", "lihc", "coadread", "skcm", "paad")
"""The cancer with most patients is the one to be timed."""
_CHILD = """
import sys
from pathlib import Path
from encoders.cohort_runs.run_folder import RunSettings, train_on_cohort
from encoders.cohorts.import_cohort import ImportSettings, import_cohort
from eval.fusion_runs import DEATH
from eval.imaging_reading import peak_kib
cohort = import_cohort(Path(sys.argv[1]), ImportSettings(mapping=sys.argv[2]))
train_on_cohort(cohort, RunSettings(DEATH), Path(sys.argv[3]))
print(len(cohort.patient_ids), peak_kib())
"""


def time_rows(bench: FusionBench) -> tuple[Row, ...]:
    """Seconds and peak GiB from the table on disk to the written model: import, five folds, model of all patients."""
    cancer = next(c for c in LARGEST_FIRST if c in bench.cancers)
    start, root = time.monotonic(), Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(bench.data / "omics_survival"), f"porpoise-{cancer}", str(Path(folder) / "run")]
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True, cwd=root, check=False
        )
    seconds = time.monotonic() - start
    ids = ("five_folds_seconds", "five_folds_peak_gib")
    if done.returncode:
        note = done.stderr.strip().splitlines()[-1]
        return tuple(
            Row(f"fusion.time.{i}", None, bar, Better.LOWER, 0, seconds, note=note)
            for i, bar in zip(ids, (SECONDS_BAR, GIB_BAR), strict=True)
        )
    patients, kib = map(int, done.stdout.split())
    load = os.getloadavg()[0]
    note = f"{cancer}, once, no interval; import, five folds, model of all patients; machine load {load:.1f} at the end"
    return tuple(
        Row(f"fusion.time.{i}", value, bar, Better.LOWER, patients, seconds, note=note)
        for i, value, bar in zip(ids, (seconds, kib / 2**20), (SECONDS_BAR, GIB_BAR), strict=True)
    )
