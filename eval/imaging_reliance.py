"""Does the molecular reading rest on the picture? AUC with the right image, with none, and with another patient's.

The molecular label is predicted from the image alone, so another patient's image means another patient's probability:
the swapped AUC is the mean over random reassignments inside a cancer. Synthetic held-out patients.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.metrics import roc_auc_score

from encoders.vocabulary import MOLECULAR_LABELS
from eval.benchmark import Better, Progress, Row
from eval.intervals import bootstrap
from eval.smoke_fusion import HeldOut, measure_cohort

AUC_BAR, CHANCE_DISTANCE = 0.80, 0.05
SWAPS = 50


def reliance_rows(*, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Three rows a gene: AUC with the own image; distance of the AUC from 0.5 with blank and with swapped images."""
    start = time.monotonic()
    records = measure_cohort(n, seed, progress)
    seconds = (time.monotonic() - start) / (3 * len(MOLECULAR_LABELS))
    rows: list[Row] = []
    for gene, (code, _) in MOLECULAR_LABELS.items():
        members = [r for r in records if r.oncotree_code == code and gene in r.molecular and gene in r.molecular_blank]
        rows += _gene_rows(gene, members, seed, seconds)
    return tuple(rows)


def _gene_rows(gene: str, members: list[HeldOut], seed: int, seconds: float) -> list[Row]:
    truth = np.array([r.truth[gene] for r in members])
    own = np.array([r.molecular[gene] for r in members])
    blank = np.array([r.molecular_blank[gene] for r in members])

    def auc(index: np.ndarray) -> float:
        both = 0 < truth[index].sum() < len(index)
        return float(roc_auc_score(truth[index], own[index])) if both else float("nan")

    count = len(members)
    swapped = swapped_auc(truth, own, seed=seed)
    blanked = float(roc_auc_score(truth, blank))
    interval = bootstrap(auc, count, seed=seed, repeats=300)
    return [
        Row(f"reliance.{gene}_auc", auc(np.arange(count)), AUC_BAR, Better.HIGHER, count, seconds, interval=interval),
        Row(f"reliance.{gene}_blank_distance", abs(blanked - 0.5), CHANCE_DISTANCE, Better.LOWER, count, seconds,
            note=f"AUC {blanked:.3f} with blank images"),
        Row(f"reliance.{gene}_swapped_distance", abs(swapped - 0.5), CHANCE_DISTANCE, Better.LOWER, count, seconds,
            note=f"AUC {swapped:.3f} with another patient's image, mean of {SWAPS} reassignments"),
    ]  # fmt: skip


def swapped_auc(truth: np.ndarray, probability: np.ndarray, *, seed: int) -> float:
    """Mean AUC over SWAPS random cyclic reassignments: nobody keeps the own image."""
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(SWAPS):
        order = generator.permutation(len(truth))
        donor = np.empty_like(order)
        donor[order] = np.roll(order, 1)  # one cycle over everybody
        values.append(roc_auc_score(truth, probability[donor]))
    return float(np.mean(values))
