"""Which of a patient's samples stands for the patient in one table: a primary tumour first, then the first id; counted.

Normal tissue and blood are never taken. What this module does not know: purity, quality, dates of samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from encoders.cohorts.assemble import CohortParts

_TCGA_SAMPLE = re.compile(r"^(TCGA-[A-Z0-9]{2}-[A-Z0-9]{4})-(\d{2})")
RULE = "a primary tumour before other tumour samples, then the first sample id"


@dataclass(frozen=True)
class Samples:
    """patient : sample id -> patient id; type : sample id -> type in the source's words ("Primary Tumor")."""

    patient: Mapping[str, str]
    type: Mapping[str, str] = field(default_factory=dict)

    def rank(self, sample: str) -> int | None:
        """0 primary, 1 other tumour, None normal tissue (never taken)."""
        word = self.type.get(sample, "").lower()
        code = _TCGA_SAMPLE.match(sample)
        if not word and code:
            number = int(code.group(2))
            return None if 10 <= number <= 19 else 0 if number in (1, 3, 9) else 1
        if "normal" in word or word == "control analyte":
            return None
        return 0 if not word or word.startswith("primary") else 1


def one_sample_each(samples: Samples, present: Iterable[str], parts: CohortParts, where: str) -> dict[str, str]:
    """patient id -> the sample to use, of the samples ``present`` in one table; what is left out is noted."""
    choices: dict[str, list[tuple[int, str]]] = {}
    unknown, normal = [], []
    for sample in dict.fromkeys(present):
        patient, rank = samples.patient.get(sample), samples.rank(sample)
        if patient is None:
            unknown.append(sample)
        elif rank is None:
            normal.append(sample)
        else:
            choices.setdefault(patient, []).append((rank, sample))
    chosen = {patient: min(found)[1] for patient, found in choices.items()}
    spare = [s for found in choices.values() for _, s in found if s not in set(chosen.values())]
    parts.note("skipped", where, "samples belong to no patient of the clinical tables", unknown)
    parts.note("skipped", where, "samples are normal tissue", normal)
    parts.note("reduced", where, f"further samples of a patient were left out ({RULE})", spare)
    return chosen


def by_patient(frame: pd.DataFrame, chosen: Mapping[str, str]) -> pd.DataFrame:
    """Rows of ``frame`` (index sample ids) under the patients' ids."""
    return frame.loc[list(chosen.values())].set_axis(pd.Index(list(chosen), name="patient_id"), axis=0)
