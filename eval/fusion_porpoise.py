"""Nine TCGA cancers on PORPOISE's official folds: against the baselines, with a second modality, calibrated.

Not known here: how a run is made (fusion_runs.py). Not checked: whether the published figures beside ours were made
with the same care; they are quoted from the data's own index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encoders.cohort_models import metrics
from encoders.cohort_models.baselines import BASELINES
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL
from encoders.cohorts.cohort import Cohort
from eval.benchmark import Better, Row
from eval.fusion_runs import (
    DEATH,
    FinishedRun,
    FusionBench,
    Rows,
    finished_run,
    joined,
    mean_of_independent,
    paired_difference,
    porpoise_run,
    student_interval,
)
from eval.intervals import bootstrap

MEAN_BAR = 0.675
BELOW_RIDGE = -0.02
"""No cancer may fall further below its own ridge-Cox row."""
MCAT: Mapping[str, float] = {"blca": 0.624, "brca": 0.580, "gbmlgg": 0.817}
"""Mean validation C-index of MCAT (Chen et al., ICCV 2021), recomputed from its published out-of-fold risks."""
REFERENCE: Mapping[str, tuple[float, float]] = {
    "blca": (0.648, 0.649),
    "brca": (0.588, 0.623),
    "coadread": (0.672, 0.662),
    "gbmlgg": (0.848, 0.858),
    "kirc": (0.718, 0.732),
    "lihc": (0.613, 0.644),
    "paad": (0.612, 0.619),
    "skcm": (0.594, 0.622),
    "ucec": (0.606, 0.613),
}
"""Cancer -> (ridge Cox on 30 components + age + sex, plain ensemble) as the data's index has them, same folds."""
WITH_HISTOLOGY: tuple[str, ...] = ("blca", "brca", "gbmlgg", "ucec")
HISTOLOGY_BLOCK, HISTOLOGY_MODEL = "histology_risk", "AMIL"
"""Of the three published slide-only models this one is meant: DeepSets' risk is the same for every patient of a fold,
and the index of the data sets AMIL beside MCAT."""
COVERAGE = (0.87, 0.93)


def porpoise_rows(bench: FusionBench) -> tuple[Row, ...]:
    """One row a cancer, the mean over cancers, the differences to each baseline, and MCAT's figures."""
    runs = {cancer: porpoise_run(bench, cancer) for cancer in bench.cancers}
    rows = Rows("porpoise")
    for cancer, run in runs.items():
        rows.add(_cancer_row(cancer, run))
    seconds, n = sum(r.seconds for r in runs.values()), sum(r.n for r in runs.values())
    means = {
        model: mean_of_independent([r.mean(model) for r in runs.values()], [r.interval(model) for r in runs.values()])
        for model in (DEFAULT_MODEL, *BASELINES)
    }
    told = ", ".join(f"{model} {means[model][0]:.4f}" for model in BASELINES)
    value, interval = means[DEFAULT_MODEL]
    note = f"mean of {len(runs)} cancers ({', '.join(runs)}); beside it {told}; index: ridge Cox .655, ensemble .669"
    rows.add(Row("mean", value, MEAN_BAR, Better.HIGHER, n, seconds, interval=interval, note=note))
    for model in BASELINES:
        rows.add(_baseline_row(model, runs, n, seconds))
    gaps = {cancer: run.mean() - run.mean("ridge Cox") for cancer, run in runs.items()}
    worst = min(gaps, key=gaps.__getitem__)
    rows.add(
        Row(
            "worst_cancer_minus_ridge_cox",
            gaps[worst],
            BELOW_RIDGE,
            Better.HIGHER,
            runs[worst].n,
            seconds,
            interval=_over(runs[worst], "ridge Cox"),
            note=joined(f"{worst}; " + ", ".join(f"{c} {g:+.4f}" for c, g in gaps.items()), runs[worst].note),
        )
    )
    for cancer in bench.subset(tuple(MCAT)):
        run = runs[cancer]
        note = joined("published MCAT, slides + omics, same folds: the bar; ours reads omics, age and sex", run.note)
        rows.add(
            Row(
                f"{cancer}_against_mcat",
                run.mean(),
                MCAT[cancer],
                Better.HIGHER,
                run.n,
                run.seconds,
                interval=run.interval(),
                note=note,
            )
        )
    return tuple(rows.rows)


def _over(run: FinishedRun, model: str) -> tuple[float, float]:
    low, high = run.figures["models"][model]["default_minus_this_interval"]
    return float(low), float(high)


def _cancer_row(cancer: str, run: FinishedRun) -> Row:
    beside = ", ".join(f"{model} {run.mean(model):.4f}" for model in BASELINES)
    ridge, ensemble = REFERENCE[cancer]
    return Row(
        cancer,
        run.mean(),
        run.mean("ridge Cox") + BELOW_RIDGE,
        Better.HIGHER,
        run.n,
        run.seconds,
        interval=run.interval(),
        note=joined(
            f"C-index; bar: own ridge Cox less .02; beside it {beside}; index: ridge Cox {ridge:.3f}, "
            f"ensemble {ensemble:.3f}; seconds are of all four models",
            run.note,
        ),
    )


def _baseline_row(model: str, runs: Mapping[str, FinishedRun], n: int, seconds: float) -> Row:
    """The value is the lower end: the interval as a whole has to lie above 0."""
    folds = np.concatenate([run.fold_values() - run.fold_values(model) for run in runs.values()])
    interval = student_interval(folds)
    gaps = [float(run.figures["models"][model]["default_minus_this"]) for run in runs.values()]
    mean, drawn = mean_of_independent(gaps, [_over(run, model) for run in runs.values()])
    return Row(
        f"minus_{model.lower().replace(' ', '_')}_lower_end",
        interval[0],
        0.0,
        Better.HIGHER,
        n,
        seconds,
        interval=interval,
        note=f"lower end of the interval over {len(folds)} paired folds; mean difference {mean:+.4f}; "
        f"patients drawn within folds: [{drawn[0]:+.4f}, {drawn[1]:+.4f}]",
    )


def with_histology(cohort: Cohort) -> Cohort:
    """The cohort with the one slide-only risk that is meant, the others left out."""
    block = cohort.blocks[HISTOLOGY_BLOCK]
    column = block.features.index(HISTOLOGY_MODEL)
    one = replace(block, features=(HISTOLOGY_MODEL,), values=block.values[:, [column]])
    return replace(cohort, blocks={**cohort.blocks, HISTOLOGY_BLOCK: one})


def second_modality_rows(bench: FusionBench) -> tuple[Row, ...]:
    """Omics + clinical with MCAT's published slide-only risk as a further block, less the same without it."""
    rows, found, seconds, n = Rows("second_modality"), [], 0.0, 0
    cancers = bench.subset(WITH_HISTOLOGY)
    for cancer in cancers:
        cohort = with_histology(bench.cohort("omics_survival", f"porpoise-mcat-{cancer}"))
        run, alone = finished_run(bench, cohort, DEATH, f"porpoise-mcat-{cancer}"), porpoise_run(bench, cancer)
        gap = paired_difference(run, alone, seed=bench.seed)
        found.append(gap)
        seconds, n = seconds + run.seconds, n + gap.n
        note = f"C-index with {run.mean():.4f}, without {alone.mean():.4f}; reported without a bar of its own"
        if gap.unpaired:
            note += f"; {gap.unpaired} predictions without a partner left out"
        rows.add(
            Row(
                cancer,
                gap.mean,
                -1.0,
                Better.HIGHER,
                gap.n,
                run.seconds,
                interval=gap.interval,
                note=joined(note, run.note, alone.note),
            )
        )
    if not cancers:
        return (Row("fusion.second_modality.mean", None, 0.0, Better.HIGHER, 0, 0.0, note=_none(bench)),)
    mean, interval = mean_of_independent([g.mean for g in found], [g.interval for g in found])
    note = f"mean difference over {', '.join(cancers)}; slide-only risk of {HISTOLOGY_MODEL} (Chen et al., ICCV 2021)"
    rows.add(Row("mean", mean, 0.0, Better.HIGHER, n, seconds, interval=interval, note=note))
    return tuple(rows.rows)


def _none(bench: FusionBench) -> str:
    return f"none of {', '.join(bench.cancers)} has a published slide-only risk"


def calibration_rows(bench: FusionBench) -> tuple[Row, ...]:
    """Coverage of the 90 % intervals of the event time, and the integrated Brier score beside Kaplan-Meier's."""
    runs = {cancer: porpoise_run(bench, cancer) for cancer in bench.cancers}
    rows, seconds = Rows("calibration"), sum(r.seconds for r in runs.values())
    last, event = (np.concatenate(part) for part in zip(*map(_last_and_event, runs.values()), strict=True))
    covered = metrics.interval_coverage(last, event)
    interval = bootstrap(lambda i: metrics.interval_coverage(last[i], event[i]), len(last), seed=bench.seed)
    told = ", ".join(f"{c} {r.figures['trust']['coverage_of_90']:.3f}" for c, r in runs.items())
    note = f"all held-out patients; {told}; a censored patient counts with its chance (Haider et al., JMLR 2020)"
    for name, bar, better in (("at_least", COVERAGE[0], Better.HIGHER), ("at_most", COVERAGE[1], Better.LOWER)):
        row_id = f"coverage_of_90_{name}"
        rows.add(Row(row_id, covered, bar, better, len(last), seconds, interval=interval, note=note))
    brier = {c: _brier_gaps(run) for c, run in runs.items()}
    folds = np.concatenate(list(brier.values()))
    rows.add(
        Row(
            "integrated_brier_minus_kaplan_meier",
            float(folds.mean()),
            0.0,
            Better.LOWER,
            len(last),
            seconds,
            interval=student_interval(folds),
            note=f"mean over {len(folds)} folds; " + ", ".join(f"{c} {g.mean():+.4f}" for c, g in brier.items()),
        )
    )
    return tuple(rows.rows)


def _last_and_event(run: FinishedRun) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    own = run.predictions[run.predictions["model"] == DEFAULT_MODEL].drop_duplicates("patient_id")
    row = [run.outcome.patient_ids.index(p) for p in own["patient_id"]]
    return own["survival_at_last_time"].to_numpy(np.float64), run.outcome.event[row]


def _brier_gaps(run: FinishedRun) -> NDArray[np.float64]:
    folds = run.by_fold.values()
    return np.array([f["integrated_brier"] - f["integrated_brier_kaplan_meier"] for f in folds])
