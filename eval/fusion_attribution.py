"""Do integrated gradients name what the risk rests on: completeness, and a deletion test against random genes.

Deleting a gene column sets it to the mean of the training patients; a gene's expression, copy number and mutation are
columns of their own. Not known here: how attributions are made. Not checked: whether a named gene is causal.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models import deletion, metrics
from encoders.cohort_models.attribution import integrated_gradients
from encoders.cohort_models.deletion import RANDOM_DRAWS
from encoders.cohort_runs.cross_validation import folds_of
from encoders.cohorts.cohort import GENE_KINDS, Cohort
from encoders.errors import InputError
from eval.benchmark import Better, Row
from eval.fusion_fold_model import FoldModel, fold_model
from eval.fusion_runs import DEATH, FusionBench, Rows, porpoise_run, student_interval
from eval.intervals import bootstrap

TIMES_RANDOM = 3.0
COMPLETENESS_BAR = 0.01
Array = NDArray[np.float64]


@dataclass(frozen=True)
class FoldDeletion:
    """error, explained, moved_by_top, moved_by_random : (M,) of the held-out patients, in the unit of the risk score.

    c_index, c_top, c_random : of the fold, with nothing, the top columns, random columns (mean of draws) deleted
    """

    error: Array
    explained: Array
    moved_by_top: Array
    moved_by_random: Array
    c_index: float
    c_top: float
    c_random: float


def attribution_rows(bench: FusionBench) -> tuple[Row, ...]:
    """Completeness error, how far the score moves, and how far the C-index falls."""
    start, folds = time.monotonic(), []
    for cancer in bench.cancers:
        cohort, run = bench.porpoise(cancer), porpoise_run(bench, cancer)
        for split in folds_of(cohort, DEATH):
            bench.say(f"attribution: {cancer}, fold {split.fold}")
            folds.append(deletion_test(fold_model(cohort, run, split), gene_blocks(cohort), seed=bench.seed))
    return rows_of(folds, seconds=time.monotonic() - start, seed=bench.seed)


def gene_blocks(cohort: Cohort) -> tuple[str, ...]:
    """Blocks whose columns are genes."""
    return tuple(name for name, block in cohort.blocks.items() if block.kind in GENE_KINDS)


def deletion_test(fold: FoldModel, genes: Iterable[str], *, seed: int) -> FoldDeletion:
    """Attribute and delete, for every held-out patient of a fold.

    Raises
    ------
    InputError: the model reads no gene block.
    """
    names = [name for name in genes if name in fold.held]
    if not names:
        raise InputError(f"the model reads no gene block; it reads {', '.join(fold.held)}.")
    found = integrated_gradients(fold.model, fold.held)
    deleted = deletion.deletion_test(
        fold.model.score, fold.held, found.values, fold.model.scalers, names=names, seed=seed
    )
    known = fold.months[1], fold.event[1]
    return FoldDeletion(
        found.completeness_error,
        np.abs(found.explained),
        deleted.moved_by_top,
        deleted.moved_by_random,
        metrics.concordance(*known, deleted.before),
        metrics.concordance(*known, deleted.top),
        float(np.mean([metrics.concordance(*known, score) for score in deleted.random])),
    )


def rows_of(folds: list[FoldDeletion], *, seconds: float, seed: int) -> tuple[Row, ...]:
    """The three rows over all folds."""
    rows = Rows("attribution")
    error, explained = (np.concatenate([getattr(f, name) for f in folds]) for name in ("error", "explained"))
    top, drawn = (np.concatenate([getattr(f, name) for f in folds]) for name in ("moved_by_top", "moved_by_random"))
    n = len(error)
    for row_id, (over, under), bar, better, note in (
        (
            "completeness_error",
            (error, explained),
            COMPLETENESS_BAR,
            Better.LOWER,
            f"sum of |error| over sum of |explained score|; largest error {error.max():.2e}",
        ),
        (
            "top_over_random_shift",
            (top, drawn),
            TIMES_RANDOM,
            Better.HIGHER,
            f"mean shift of the risk score: top 5 % of a patient's gene columns {top.mean():.4f}, random 5 % "
            f"{drawn.mean():.4f} (mean of {RANDOM_DRAWS} draws)",
        ),
    ):
        value = float(over.sum() / under.sum())
        interval = bootstrap(lambda i, a=over, b=under: float(a[i].sum() / b[i].sum()), n, seed=seed)
        rows.add(Row(row_id, value, bar, better, n, seconds, interval=interval, note=note))
    fall = np.array([f.c_index - f.c_top for f in folds])
    chance = np.array([f.c_index - f.c_random for f in folds])
    excess = fall - TIMES_RANDOM * chance
    note = (
        f"mean over {len(folds)} folds of (fall by top 5 %) less {TIMES_RANDOM:g} times (fall by random 5 %): "
        f"C-index {np.mean([f.c_index for f in folds]):.4f} falls by {np.nanmean(fall):+.4f} and "
        f"{np.nanmean(chance):+.4f}"
    )
    interval = student_interval(excess) if len(folds) > 1 else None
    rows.add(
        Row("c_index_fall_less_3_random", float(np.nanmean(excess)), 0.0, Better.HIGHER, n, seconds, interval, note)
    )
    return tuple(rows.rows)
