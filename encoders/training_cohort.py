"""Cohorts for training and calibration: sampled in memory by one worker process a core, or read from a written cohort.

What this module does not know: networks. Nothing is written to disk; a patient is reduced to what the networks read
(lesion crops in float16, panel expression, flags), so 3,000 patients stay near 400 MB.
"""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from encoders.compute import core_count
from encoders.errors import InputError
from encoders.inputs import CANCER_CODES, PatientInputs, read_inputs
from encoders.labels import Labels
from encoders.omics import ExpressionScale
from encoders.pathways import PANEL, REFERENCE_GENES
from encoders.patient import Patient

Progress = Callable[[str], None] | None
_CHUNK = 40


@dataclass(frozen=True)
class TrainingCohort:
    """Patients as the networks read them, with their labels, in the same order; source says where they come from."""

    inputs: tuple[PatientInputs, ...]
    labels: tuple[Labels, ...]
    source: str

    def __len__(self) -> int:
        return len(self.labels)


def _packed(inputs: PatientInputs) -> PatientInputs:
    return replace(inputs, crops=tuple(replace(c, image=c.image.astype(np.float16)) for c in inputs.crops))


def _features(patient: Patient, labels: Labels) -> dict[str, str]:
    known = {"sex": patient.sex, "stage": patient.diagnosis.stage, "grade": patient.diagnosis.grade}
    if patient.age_years is not None:
        known["age"] = f"{10 * int(patient.age_years // 10)}s"
    features = {name: value for name, value in known.items() if value}
    features |= dict(labels.appearance) | dict(labels.expression)
    return features | {gene: "altered" if yes else "not altered" for gene, yes in labels.molecular.items()}


def _sample_chunk(task: tuple[int, int, int]) -> list[tuple[PatientInputs, Labels]]:
    """Worker: patients ``start <= index < stop`` of the cohort ``seed``."""
    from encoders.synthetic.cohort import sample_case  # noqa: PLC0415  (workers import it, the models do not need it)

    start, stop, seed = task
    out = []
    for index in range(start, stop):
        case = sample_case(index, seed, CANCER_CODES[index % len(CANCER_CODES)])
        truth = case.truth
        labels = Labels(
            oncotree_code=truth.oncotree_code,
            appearance=dict(truth.appearance),
            molecular=dict(truth.molecular),
            expression=dict(truth.expression),
            followup_months=float(truth.followup_months),
            event=bool(truth.event),
            case_id=case.patient.patient_id,
        )
        labels = replace(labels, features=_features(case.patient, labels))
        out.append((_packed(read_inputs(case.patient)), labels))
    return out


def sample_cohort(n: int, seed: int, *, progress: Progress = None) -> TrainingCohort:
    """Sample ``n`` synthetic patients, equally many of each cancer."""
    tasks = [(start, min(start + _CHUNK, n), seed) for start in range(0, n, _CHUNK)]
    rows: list[tuple[PatientInputs, Labels]] = []
    with ProcessPoolExecutor(core_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        for chunk in pool.map(_sample_chunk, tasks):
            rows += chunk
            if progress is not None and len(rows) % (_CHUNK * 5) < _CHUNK:
                progress(f"sampled {len(rows)} of {n} synthetic patients (seed {seed})")
    inputs, labels = zip(*rows, strict=True)
    return TrainingCohort(inputs, labels, f"synthetic cohort, seed {seed}, n {n}")


def fit_scale(cohort: TrainingCohort) -> ExpressionScale:
    """Mean and SD of log2(TPM + 1) per gene over the patients of ``cohort`` that have linear-unit expression."""
    profiles = [p.expression for p in cohort.inputs if p.expression is not None and not p.expression.is_z]
    if len(profiles) < 2:
        zero, one = np.zeros(len(PANEL), np.float32), np.ones(len(PANEL), np.float32)
        return ExpressionScale(zero, one, np.zeros(len(REFERENCE_GENES), np.float32))
    values = np.stack([np.where(p.present, p.values, np.nan) for p in profiles])
    reference = np.stack([np.where(p.reference_present, p.reference_values, np.nan) for p in profiles])
    seen = np.isfinite(values).sum(0) > 1
    mean = np.where(seen, np.nanmean(np.where(seen, values, 0), 0), 0)
    sd = np.where(seen, np.nanstd(np.where(seen, values, 0), 0), 1)
    offset = np.nan_to_num(np.nanmean(np.where(np.isfinite(reference).any(0), reference, 0), 0))
    return ExpressionScale(mean.astype(np.float32), np.maximum(sd, 0.3).astype(np.float32), offset.astype(np.float32))


def read_cohort(folder: Path, *, progress: Progress = None) -> TrainingCohort:
    """Read a cohort written by ``radomica cohort synth``: its patient folders and ``cohort.csv``.

    Columns used: patient_id, oncotree_code, followup_months, event, and appearance_X, molecular_X, expression_X.

    Raises
    ------
    InputError: no cohort.csv, a column missing, or a patient folder missing
    """
    from encoders.read.folder import read_patient  # noqa: PLC0415  (readers are not needed to sample or predict)

    table = folder / "cohort.csv"
    if not table.is_file():
        raise InputError(f"{folder} has no cohort.csv; write a cohort with `radomica cohort synth --n N --out DIR`.")
    inputs, labels = [], []
    for line, row in _rows(table):
        case = folder / row["patient_id"]
        if not case.is_dir():
            raise InputError(f"cohort.csv line {line} names {row['patient_id']}, but no such folder is beside it.")
        patient = read_patient(case)
        known = _labels_of(row, line)
        inputs.append(_packed(read_inputs(patient)))
        labels.append(replace(known, features=_features(patient, known)))
        if progress is not None and len(labels) % 50 == 0:
            progress(f"read {len(labels)} patients of {folder.name}")
    return TrainingCohort(tuple(inputs), tuple(labels), f"cohort folder {folder.name}, n {len(labels)}")


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with table.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        needed = {"patient_id", "oncotree_code", "followup_months", "event"}
        absent = needed - set(reader.fieldnames or ())
        if absent:
            raise InputError(f"{table.name} has no column {', '.join(sorted(absent))}; needed: {sorted(needed)}.")
        yield from enumerate(reader, start=2)


def _labels_of(row: dict[str, str], line: int) -> Labels:
    def group(prefix: str) -> dict[str, str]:
        return {k[len(prefix) + 1 :]: v for k, v in row.items() if k.startswith(prefix + "_") and v}

    if row["oncotree_code"] not in CANCER_CODES:
        raise InputError(
            f"cohort.csv line {line}: oncotree_code is {row['oncotree_code']!r}; allowed: {', '.join(CANCER_CODES)}."
        )
    return Labels(
        oncotree_code=row["oncotree_code"],
        appearance=group("appearance"),
        molecular={gene: value.lower() in {"1", "true"} for gene, value in group("molecular").items()},
        expression=group("expression"),
        followup_months=float(row["followup_months"]),
        event=row["event"].lower() in {"1", "true"},
        case_id=row["patient_id"],
    )
