"""Sample synthetic patients, and write a cohort of them in real file formats.

    from encoders.synthetic.cohort import sample_case, write_cohort
    case = sample_case(12, seed=0)            # in memory
    write_cohort(20, Path("cohort"), seed=0)  # one folder per patient, cohort.csv, README.txt

Everything is generated: no real patient's data, and no claim that the pictures or effect sizes are realistic.
Does NOT know the models trained on it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from encoders.errors import InputError
from encoders.patient import Outcome, Patient, SourceLocator
from encoders.synthetic.biology import Biology, sample_biology
from encoders.synthetic.clinical import RECORD_FILE, sample_clinical
from encoders.synthetic.imaging import sample_imaging
from encoders.synthetic.notes_text import write_notes
from encoders.synthetic.omics import sample_expression
from encoders.synthetic.variants import write_copy_number, write_fusions, write_variants
from encoders.synthetic.write_cohort import README, check_free, cohort_table, write_patient
from encoders.synthetic.write_omics import write_text
from encoders.vocabulary import CANCERS

EXPRESSION_FILE = "genomics/star_gene_counts.tsv"
MAX_INDEX = 100_000
"""Indices of one seed; the patient number is seed * MAX_INDEX + index, so that cohorts never share an id."""

MISSING: Mapping[str, str] = MappingProxyType(
    {"methylation": "not generated for synthetic patients", "proteins": "not generated for synthetic patients"}
)


@dataclass(frozen=True)
class SyntheticTruth:
    """What is hidden about a synthetic patient; for training and evaluation only.

    appearance, expression : words of encoders/vocabulary.py; molecular : gene -> positive
    latent : latents, "cue" and "log_hazard_<group>" parts; followup_months > 0; event True = death happened
    """

    oncotree_code: str
    appearance: Mapping[str, str]
    molecular: Mapping[str, bool]
    expression: Mapping[str, str]
    latent: Mapping[str, float]
    followup_months: float
    event: bool


@dataclass(frozen=True)
class SyntheticCase:
    """A patient as a reader would return it, the truth behind it, and what only the files need."""

    patient: Patient
    truth: SyntheticTruth
    birth_date: str = ""
    weight_kg: float = 70.0


def sample_case(index: int, seed: int, oncotree: str | None = None, *, imaging: bool = True) -> SyntheticCase:
    """One synthetic patient, the same for the same arguments.

    Parameters
    ----------
    index : 0..99999; the cancers take turns by index unless ``oncotree`` is given
    seed : 0 or above
    oncotree : a code of vocabulary.CANCERS, or None
    imaging : False leaves the images out (everything else is unchanged), for quick statistics

    Raises
    ------
    InputError: index, seed or oncotree out of range.
    """
    if not 0 <= index < MAX_INDEX or seed < 0:
        raise InputError(f"index {index}, seed {seed}: index must be in 0..{MAX_INDEX - 1} and seed 0 or above.")
    if oncotree is not None and oncotree not in CANCERS:
        raise InputError(f"OncoTree code {oncotree!r} cannot be generated; allowed: {', '.join(CANCERS)}.")
    code = oncotree or list(CANCERS)[index % len(CANCERS)]
    streams = np.random.SeedSequence([seed, index, list(CANCERS).index(code)]).spawn(5)
    hidden, clinical, omics, genomics, pixels = (np.random.default_rng(s) for s in streams)
    biology = sample_biology(code, hidden)
    record = sample_clinical(biology, clinical)
    patient_id = f"SYN-{code}-{seed * MAX_INDEX + index:06d}"
    missing = dict(MISSING) if imaging else {**MISSING, "imaging": "left out on request"}
    patient = Patient(
        patient_id=patient_id,
        oncotree_code=code,
        sex=biology.sex,
        age_years=record.age_years,
        diagnosis=record.diagnosis,
        ecog=biology.ecog,
        treatments=record.treatments,
        medications=record.medications,
        labs=record.labs,
        biomarkers=record.biomarkers,
        imaging=sample_imaging(biology, patient_id, record.imaging_date, pixels) if imaging else (),
        expression=sample_expression(
            biology, record.er_positive, omics, SourceLocator(EXPRESSION_FILE, "column tpm_unstranded")
        ),
        variants=write_variants(biology, genomics),
        copy_number=write_copy_number(biology, genomics),
        fusions=write_fusions(biology),
        notes=write_notes(biology, record, patient_id),
        outcome=Outcome(biology.followup_months, biology.event),
        missing=MappingProxyType(missing),
        sources=_sources(),
        synthetic=True,
    )
    return SyntheticCase(patient, _truth(biology), record.birth_date, record.weight_kg)


def _sources() -> Mapping[str, SourceLocator]:
    places = {
        "oncotree_code": "Condition/primary",
        "sex": "Patient/patient",
        "age_years": "Patient/patient",
        "diagnosis.histology": "Condition/primary",
        "diagnosis.stage": "Observation/stage",
        "diagnosis.grade": "Observation/grade",
        "diagnosis.date": "Condition/primary",
        "diagnosis.site": "Condition/primary",
        "ecog": "Observation/ecog",
    }
    return MappingProxyType({field: SourceLocator(RECORD_FILE, place) for field, place in places.items()})


def _truth(biology: Biology) -> SyntheticTruth:
    parts = {f"log_hazard_{name}": value for name, value in biology.parts.items()}
    return SyntheticTruth(
        oncotree_code=biology.oncotree_code,
        appearance=biology.appearance,
        molecular=biology.molecular,
        expression=biology.expression,
        latent={**biology.latent, "cue": biology.cue, "radius_mm": biology.radius_mm, **parts},
        followup_months=biology.followup_months,
        event=biology.event,
    )


def write_case(case: SyntheticCase, folder: Path) -> None:
    """Write one case as a patient folder (DICOM, SEG, STAR counts, MAF, copy number, fusions, FHIR, notes).

    Raises
    ------
    InputError: the folder already holds something.
    """
    write_patient(case.patient, case.birth_date, case.weight_kg, Path(folder))


def write_cohort(n: int, folder: Path, seed: int, progress: Callable[[str], None] | None = None) -> None:
    """Write patients 0..n-1 of ``seed``, cohort.csv and README.txt; the folder appears when all are written.

    Raises
    ------
    InputError: n below 1, or the folder already holds something.
    """
    if n < 1:
        raise InputError(f"A cohort of {n} patients was asked for; it needs at least 1.")
    folder = Path(folder)
    check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        rows = []
        for index in range(n):
            case = sample_case(index, seed)
            write_case(case, partial / case.patient.patient_id)
            rows.append(_row(case))
            if progress is not None:
                progress(f"synthetic patient {index + 1} of {n}: {case.patient.patient_id}")
        write_text(partial / "cohort.csv", cohort_table(rows))
        write_text(partial / "README.txt", README)
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _row(case: SyntheticCase) -> dict[str, object]:
    truth = case.truth
    return {
        "patient_id": case.patient.patient_id,
        "oncotree_code": truth.oncotree_code,
        "followup_months": truth.followup_months,
        "event": int(truth.event),
        **{f"appearance_{name}": word for name, word in truth.appearance.items()},
        **{f"expression_{name}": word for name, word in truth.expression.items()},
        **{f"molecular_{name}": int(positive) for name, positive in truth.molecular.items()},
        "synthetic": 1,
    }
