"""Other real cohorts: DeepSurv's survival tables, ROSMAP in MOGONET's form, image features of UCSF-PDGM and HANCOCK.

Not known here: how a run is made (fusion_runs.py). Folds are the cohort's own where it has some, else made by patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from encoders.cohort_models import metrics
from encoders.cohort_models.design import CLINICAL
from encoders.cohort_runs.cross_validation import DEFAULT_MODEL, Task
from encoders.cohorts.cohort import Block, BlockKind, Cohort
from eval.benchmark import Better, Row
from eval.fusion_runs import (
    DEATH,
    NO_BAR,
    FinishedRun,
    FusionBench,
    Rows,
    finished_run,
    joined,
    paired_difference,
)

DEEPSURV: Mapping[str, tuple[float, str]] = {
    "metabric": (0.643, "paper: DeepSurv .643, forest .624, Cox .631"),
    "support": (0.618, "paper: DeepSurv .618, forest .613, Cox .583"),
}
"""Test C-index of DeepSurv (Katzman et al., BMC Med Res Methodol 2018, 10.1186/s12874-018-0482-1)."""
RIDGE_COX = "ridge Cox"
ROSMAP_BAR = 0.87
ROSMAP_REPEATS = 5
ALZHEIMER = Task("diagnosis", ("Alzheimer's disease",))
IDH = Task("IDH", ("mutated",))
IDH_BAR = 0.95
IDH_REPEATS = 5
IMAGE_REPEATS = 3
"""Divisions into folds for the difference images make: it is small beside what another division changes."""
BEFORE_SURGERY: tuple[str, ...] = ("age_years", "sex")
"""What is known before tissue is taken; grade and extent of resection are told only once IDH can be measured too."""


def deepsurv_rows(bench: FusionBench) -> tuple[Row, ...]:
    """METABRIC and SUPPORT on their own train and test parts."""
    rows = Rows("deepsurv")
    for name, (bar, reference) in DEEPSURV.items():
        cohort = bench.cohort("omics_survival", f"deepsurv-{name}")
        run = finished_run(bench, cohort, DEATH, f"deepsurv-{name}", models=(DEFAULT_MODEL, RIDGE_COX))
        note = joined(f"C-index; own ridge Cox {run.mean(RIDGE_COX):.4f}; {reference}", run.note)
        rows.add(_row(name, run, bar, note))
    return tuple(rows.rows)


def _row(row_id: str, run: FinishedRun, bar: float, note: str) -> Row:
    return Row(row_id, run.mean(), bar, Better.HIGHER, run.n, run.seconds, interval=run.interval(), note=note)


def rosmap_rows(bench: FusionBench) -> tuple[Row, ...]:
    """Early, intermediate and late fusion, and each block alone, on the same 5 x 5 folds."""
    cohort, rows = bench.cohort("omics_survival", "mogonet-rosmap"), Rows("rosmap")
    default = finished_run(bench, cohort, ALZHEIMER, "rosmap-intermediate", repeats=ROSMAP_REPEATS)
    reference = "AUC; MOGONET .874 on its own test part (Wang et al., Nat Commun 2021), another set of patients"
    rows.add(_row("intermediate", default, ROSMAP_BAR, joined("the default model", reference, default.note)))
    early = finished_run(bench, as_one_block(cohort), ALZHEIMER, "rosmap-early", repeats=ROSMAP_REPEATS)
    rows.add(_row("early", early, NO_BAR, joined("all blocks side by side as one; no bar", early.note)))
    alone = {
        name: finished_run(bench, cohort, ALZHEIMER, f"rosmap-{name}", blocks=(name,), repeats=ROSMAP_REPEATS)
        for name in cohort.blocks
    }
    rows.add(_late_row(default, alone, seed=bench.seed))
    for name, run in alone.items():
        rows.add(_row(name, run, NO_BAR, joined("this block alone; no bar", run.note)))
    return tuple(rows.rows)


def as_one_block(cohort: Cohort) -> Cohort:
    """Early fusion: every block side by side in one; a patient without a block has NaN in its columns."""
    ids = cohort.patient_ids
    values = np.hstack([cohort.aligned(name, ids) for name in cohort.blocks])
    features = tuple(f"{name}:{feature}" for name, block in cohort.blocks.items() for feature in block.features)
    return replace(cohort, blocks={"all": Block(BlockKind.OTHER, ids, features, values)})


def _late_row(default: FinishedRun, alone: Mapping[str, FinishedRun], *, seed: int) -> Row:
    scores = pd.concat([run.scores() for run in alone.values()], axis=1, join="inner").mean(axis=1).reset_index()
    row = pd.Index(default.outcome.patient_ids).get_indexer(scores["patient_id"])
    event, score = default.outcome.event[row], scores[0].to_numpy(np.float64)
    members = [np.flatnonzero(scores["fold"].to_numpy() == fold) for fold in sorted(set(scores["fold"]))]
    value, interval = metrics.mean_over_folds(
        members, lambda i: metrics.area_under_curve(event[i], score[i]), seed=seed
    )
    note = "mean of the blocks' log odds, each block fitted alone; no bar"
    seconds = sum(run.seconds for run in alone.values())
    return Row("late", value, NO_BAR, Better.HIGHER, default.n, seconds, interval=interval, note=note)


def radiogenomics_rows(bench: FusionBench) -> tuple[Row, ...]:
    """IDH of UCSF-PDGM; overall survival of UCSF-PDGM and HANCOCK with image features less the same without them."""
    rows, ucsf = Rows("radiogenomics"), bench.cohort("radiogenomics", "ucsf-pdgm")
    early = only_clinical(ucsf, BEFORE_SURGERY)
    reference = "index, one third held out: radiomics .903, age .957, both .956"
    for row_id, cohort, told in (
        ("ucsf_idh_before_surgery", early, "age, sex and radiomics"),
        ("ucsf_idh", ucsf, "grade and extent of resection too, which are known only after surgery"),
    ):
        run = finished_run(bench, cohort, IDH, row_id.replace("_", "-"), repeats=IDH_REPEATS)
        rows.add(_row(row_id, run, IDH_BAR, joined(f"AUC; reads {told}; {reference}", run.note)))
    rows.add(_image_gain(bench, ucsf, "ucsf_pdgm", "index, plain concatenation: .743 -> .733"))
    hancock = bench.cohort("radiogenomics", "hancock")
    rows.add(_image_gain(bench, hancock, "hancock", "index, plain concatenation: .720 -> .649"))
    return tuple(rows.rows)


def only_clinical(cohort: Cohort, columns: tuple[str, ...]) -> Cohort:
    """The cohort with these clinical columns alone; blocks as they are."""
    return replace(
        cohort, clinical=cohort.clinical[list(columns)], columns={name: cohort.columns[name] for name in columns}
    )


def _image_gain(bench: FusionBench, cohort: Cohort, name: str, reference: str) -> Row:
    tabular = (CLINICAL, *(n for n, b in cohort.blocks.items() if b.kind is not BlockKind.IMAGE_FEATURES))
    stem = name.replace("_", "-")
    both = finished_run(bench, cohort, DEATH, f"{stem}-survival", repeats=IMAGE_REPEATS)
    without = finished_run(bench, cohort, DEATH, f"{stem}-survival-tabular", blocks=tabular, repeats=IMAGE_REPEATS)
    gap = paired_difference(both, without, seed=bench.seed)
    return Row(
        f"{name}_survival_with_images_minus_without",
        gap.mean,
        0.0,
        Better.HIGHER,
        gap.n,
        both.seconds + without.seconds,
        interval=gap.interval,
        note=joined(
            f"C-index with {both.mean():.4f}, without {without.mean():.4f}; {reference}",
            f"{gap.unpaired} predictions without a partner left out" if gap.unpaired else "",
            both.note,
            without.note,
        ),
    )
