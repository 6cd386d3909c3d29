"""Does fusion beat its best part, and do the image heads look at the image? On held-out synthetic patients.

Patients come from a seed that no training used. Every figure is over synthetic data and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from encoders.errors import ContractError, UnavailableError
from encoders.predict import load_models, predict
from encoders.radiology import blank_images
from encoders.synthetic.cohort import sample_case
from encoders.vocabulary import MOLECULAR_LABELS
from eval.benchmark import Better, Progress, Row
from eval.intervals import bootstrap
from eval.survival_metrics import stratified_concordance

WORKERS = 2


@dataclass(frozen=True)
class HeldOut:
    """What one held-out patient contributes; probabilities are of the positive class, by gene."""

    oncotree_code: str
    followup_months: float
    event: bool
    risk_score: float
    unimodal: Mapping[str, float]
    truth: Mapping[str, bool]
    molecular: Mapping[str, float]
    molecular_blank: Mapping[str, float]


def positive_probability(label: str | None, value: float) -> float:
    """Probability of the positive class, whichever of the two labels ("EGFR mutated", "EGFR not mutated") is predicted.

    Raises
    ------
    ContractError: a molecular prediction without a label.
    """
    if label is None:
        raise ContractError("a molecular prediction names no label; encoders/predict.py must write one.")
    return 1.0 - value if "not" in label.split() else value


def measure_patient(index: int, *, seed: int) -> HeldOut:
    """Sample one patient, predict with its images and with blanked ones."""
    torch.set_num_threads(1)
    models = load_models()
    case = sample_case(index, seed)
    seen = {p.task: p for p in predict(case.patient, models=models, explain=False).predictions}
    blank = {p.task: p for p in predict(blank_images(case.patient), models=models, explain=False).predictions}
    if "survival" not in seen:
        raise UnavailableError(f"patient {case.patient.patient_id} got no survival prediction; run `radomica doctor`.")

    def molecular(predictions: Mapping[str, object]) -> dict[str, float]:
        return {
            task.removeprefix("molecular:"): positive_probability(p.label, p.value)
            for task, p in predictions.items()
            if task.startswith("molecular:")
        }

    return HeldOut(
        oncotree_code=case.truth.oncotree_code,
        followup_months=case.truth.followup_months,
        event=case.truth.event,
        risk_score=seen["survival"].value,
        unimodal=dict(seen["survival"].unimodal or {}),
        truth=case.truth.molecular,
        molecular=molecular(seen),
        molecular_blank=molecular(blank),
    )


def measure_cohort(n: int, seed: int, progress: Progress = None) -> list[HeldOut]:
    """Measure ``n`` held-out patients in two processes."""
    records: list[HeldOut] = []
    with ProcessPoolExecutor(WORKERS) as pool:
        for record in pool.map(partial(measure_patient, seed=seed), range(n), chunksize=8):
            records.append(record)
            if progress and len(records) % 50 == 0:
                progress(f"fusion: {len(records)}/{n} held-out patients")
    return records


def fusion_rows(*, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Rows: C-index of fusion minus the best single modality; molecular AUC from the image, and blank."""
    start = time.monotonic()
    records = measure_cohort(n, seed, progress)
    each = (time.monotonic() - start) / (1 + 2 * len(MOLECULAR_LABELS))
    rows = [_concordance_row(records, seed, each)]
    for gene, (code, _) in MOLECULAR_LABELS.items():
        members = [r for r in records if r.oncotree_code == code and gene in r.molecular]
        rows += _auc_rows(gene, members, seed, each)
    return tuple(rows)


def _concordance_row(records: list[HeldOut], seed: int, seconds: float) -> Row:
    time_months = np.array([r.followup_months for r in records])
    event = np.array([r.event for r in records])
    strata = np.array([r.oncotree_code for r in records])
    scores = {"fusion": np.array([r.risk_score for r in records])}
    for name in sorted({m for r in records for m in r.unimodal}):
        scores[name] = np.array([r.unimodal.get(name, np.nan) for r in records])

    def concordance(name: str, index: np.ndarray) -> float:
        kept = index[np.isfinite(scores[name][index])]
        return stratified_concordance(scores[name][kept], time_months[kept], event[kept], strata[kept])

    everyone = np.arange(len(records))
    singles = {name: concordance(name, everyone) for name in scores if name != "fusion"}
    best = max(singles, key=lambda name: singles[name])
    fused = concordance("fusion", everyone)
    gain: Callable[[np.ndarray], float] = lambda i: concordance("fusion", i) - concordance(best, i)  # noqa: E731
    parts = ", ".join(f"{k} {v:.3f}" for k, v in sorted(singles.items(), key=lambda kv: -kv[1]))
    return Row(
        "fusion.c_index_gain_over_best_single",
        fused - singles[best],
        0.001,
        Better.HIGHER,
        len(records),
        seconds,
        interval=bootstrap(gain, len(records), seed=seed, repeats=300, strata=list(strata)),
        note=f"fusion {fused:.3f}; {parts} (C-index within cancer, synthetic)",
    )


def _auc_rows(gene: str, members: list[HeldOut], seed: int, seconds: float) -> list[Row]:
    truth = np.array([r.truth[gene] for r in members])
    seen = np.array([r.molecular[gene] for r in members])
    blank = np.array([r.molecular_blank.get(gene, np.nan) for r in members])

    def auc(score: np.ndarray) -> Callable[[np.ndarray], float]:
        def of(index: np.ndarray) -> float:
            both = 0 < truth[index].sum() < len(index)
            return float(roc_auc_score(truth[index], score[index])) if both else float("nan")

        return of

    everyone, n = np.arange(len(members)), len(members)
    interval = bootstrap(auc(seen), n, seed=seed, repeats=300)
    rows = [Row(f"image.{gene}_auc", auc(seen)(everyone), 0.75, Better.HIGHER, n, seconds, interval=interval)]
    if np.isnan(blank).any():
        # no prediction at all from a blank image is right too, but it is another fact than an AUC of one half
        note = f"{int(np.isnan(blank).sum())} of {n} blank images were refused"
        value = 0.0 if np.isnan(blank).all() else None
    else:
        value, note = abs(auc(blank)(everyone) - 0.5), "distance of the AUC from 0.5 with blank images"
    rows.append(Row(f"image.{gene}_auc_blank_distance", value, 0.05, Better.LOWER, n, seconds, note=note))
    return rows
