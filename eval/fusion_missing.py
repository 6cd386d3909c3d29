"""A block absent at test time: the full model on patients without it, against a model that never saw the block.

Each fold is kept on disk as it is done. Not known here: where the folds come from. Not checked: blocks absent for a
reason that goes with the outcome; here the block is taken from every held-out patient.

The default model answers a patient without a block by a fit of the other blocks on the same fitted patients, so a
difference of 0 is what it is built for; the row shows that it is so, and would show it of another model.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from encoders.atomic_write import write_atomically
from encoders.cohort_models import metrics
from encoders.cohort_models.multi_kernel import fit_survival
from encoders.cohort_runs.cross_validation import folds_of
from encoders.cohorts.cohort import Split
from eval.benchmark import Better, Row
from eval.fusion_fold_model import FoldModel, fold_model
from eval.fusion_runs import DEATH, FinishedRun, FusionBench, porpoise_run, student_interval

BAR = 0.02


def missing_rows(bench: FusionBench) -> tuple[Row, ...]:
    """Mean absolute difference over cancers and blocks (each the mean of its folds), the bar of .02 on it."""
    gaps: dict[str, float] = {}
    seconds, n, left_out = 0.0, 0, 0
    for cancer in bench.cancers:
        run = porpoise_run(bench, cancer)
        n += run.n
        folds = [_kept(bench, cancer, run, split) for split in folds_of(bench.porpoise(cancer), DEATH)]
        seconds += sum(fold["seconds"] for fold in folds)
        left_out += sum(fold["left_out"] for fold in folds)
        for block in folds[0]["gaps"]:
            found = [fold["gaps"][block] for fold in folds if block in fold["gaps"]]
            gaps[f"{cancer} without {block}"] = float(np.nanmean(found))
    size = np.abs(list(gaps.values()))
    worst = max(gaps, key=lambda cell: abs(gaps[cell]))
    note = (
        f"mean |C-index of the full model less that of the model trained without| over {len(gaps)} pairs of cancer and "
        f"block; 0 by construction of the default model; "
        f"signed mean {np.mean(list(gaps.values())):+.4f}; largest: {worst} {gaps[worst]:+.4f}"
    )
    if left_out:
        note += f"; {left_out} times a patient with no other block was left out"
    interval = student_interval(size) if len(size) > 1 else None
    return (Row("fusion.missing.mean", float(size.mean()), BAR, Better.LOWER, n, seconds, interval, note),)


def _kept(bench: FusionBench, cancer: str, run: FinishedRun, split: Split) -> dict[str, Any]:
    path = bench.runs / "missing" / f"{cancer}-{split.fold}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    bench.say(f"missing: {cancer}, fold {split.fold}")
    start = time.monotonic()
    gaps, left_out = without_each_block(fold_model(bench.porpoise(cancer), run, split))
    found = {"gaps": gaps, "left_out": left_out, "seconds": time.monotonic() - start}
    write_atomically(path, json.dumps(found) + "\n")
    return found


def without_each_block(fold: FoldModel) -> tuple[dict[str, float], int]:
    """Block -> C-index of the full model less that of a model trained without it; and how many patients had no other.

    A block that is the only one has no model without it and is left out.
    """
    gaps, left_out = {}, 0
    for absent in fold.held:
        rest = [name for name in fold.held if name != absent]
        if not rest:
            continue
        have = np.any([np.isfinite(fold.held[name]).any(axis=1) for name in rest], axis=0)
        left_out += int((~have).sum())
        held = {name: fold.held[name][have] for name in rest}
        other = fit_survival({name: fold.train[name] for name in rest}, fold.months[0], fold.event[0])
        known = fold.months[1][have], fold.event[1][have]
        gaps[absent] = metrics.concordance(*known, fold.model.score(held)) - metrics.concordance(
            *known, other.score(held)
        )
    return gaps, left_out
