"""Clinical record of a synthetic patient: diagnosis, dates, treatments, medicines, laboratory values, biomarkers.

Does NOT know images, expression or files; nothing here hints at the lesion's appearance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from numpy.random import Generator

from encoders.patient import Biomarker, Diagnosis, Lab, Medication, SourceLocator, Treatment
from encoders.synthetic.biology import Biology

RECORD_FILE = "clinical/record.json"

HISTOLOGY: Mapping[str, str] = {
    "LUAD": "lung adenocarcinoma",
    "DIFG": "diffuse glioma",
    "CCRCC": "clear cell renal cell carcinoma",
    "BRCA": "invasive breast carcinoma",
}
SITE: Mapping[str, str] = {"LUAD": "lung", "DIFG": "brain", "CCRCC": "kidney", "BRCA": "breast"}
TMB_MEDIAN: Mapping[str, float] = {"LUAD": 6.5, "DIFG": 1.3, "CCRCC": 1.7, "BRCA": 1.6}
"""Median tumour mutational burden, mutations/Mb; our choice, in the order published panels report."""
MEDICINES: tuple[tuple[str, float], ...] = (
    ("omeprazole", 0.20),
    ("metformin", 0.14),
    ("atorvastatin", 0.22),
    ("amlodipine", 0.16),
    ("lisinopril", 0.14),
    ("warfarin", 0.08),
    ("levetiracetam", 0.05),
)
"""Medicine -> share of patients taking it (levetiracetam in glioma 0.5); shares are ours."""


@dataclass(frozen=True)
class ClinicalRecord:
    """The clinical fields of a Patient, plus what only the files need."""

    diagnosis: Diagnosis
    birth_date: str
    age_years: float
    weight_kg: float
    imaging_date: str
    treatments: tuple[Treatment, ...]
    medications: tuple[Medication, ...]
    labs: tuple[Lab, ...]
    biomarkers: tuple[Biomarker, ...]
    er_positive: bool | None


def _at(place: str) -> SourceLocator:
    return SourceLocator(RECORD_FILE, place)


def sample_clinical(biology: Biology, rng: Generator) -> ClinicalRecord:
    """Draw the record of one patient."""
    code = biology.oncotree_code
    diagnosed = date(2022, 1, 10) + timedelta(days=int(rng.integers(0, 900)))
    born = diagnosed - timedelta(days=round(biology.age_years * 365.25))
    er = None
    if code == "BRCA":
        er = bool(rng.random() < (0.55 if "TP53" in biology.genotype.mutated else 0.85))
    treatments, last = _treatments(biology, er, diagnosed, rng)
    imaging = last + timedelta(days=int(rng.integers(8, 30)))
    edition = "AJCC 8" if biology.stage else None
    return ClinicalRecord(
        diagnosis=Diagnosis(
            HISTOLOGY[code],
            biology.stage,
            edition,
            biology.grade,
            diagnosed.isoformat(),
            SITE[code],
        ),
        birth_date=born.isoformat(),
        age_years=float(diagnosed.year - born.year - ((diagnosed.month, diagnosed.day) < (born.month, born.day))),
        weight_kg=round(float(rng.normal(70 if biology.sex == "female" else 82, 11)), 1),
        imaging_date=imaging.isoformat(),
        treatments=treatments,
        medications=_medications(code, rng),
        labs=_labs(biology, imaging, rng),
        biomarkers=_biomarkers(biology, er, diagnosed, rng),
        er_positive=er,
    )


def _first_line(biology: Biology, er: bool | None) -> tuple[str, ...]:
    code, genotype = biology.oncotree_code, biology.genotype
    if code == "LUAD":
        if biology.molecular["EGFR"]:
            return ("osimertinib",)
        fused = {three for _, three in genotype.fusions}
        return ("alectinib",) if "ALK" in fused else ("carboplatin", "pemetrexed")
    if code == "DIFG":
        return ("temozolomide",)
    if code == "CCRCC":
        return ("sunitinib",)
    if biology.molecular["ERBB2"]:
        return ("trastuzumab", "paclitaxel")
    return ("letrozole",) if er else ("doxorubicin", "cyclophosphamide")


def _treatments(
    biology: Biology, er: bool | None, diagnosed: date, rng: Generator
) -> tuple[tuple[Treatment, ...], date]:
    """(treatments, last day they account for); a little under half of the patients had a prior line."""
    if rng.random() > 0.45:
        return (), diagnosed
    start = diagnosed + timedelta(days=int(rng.integers(14, 50)))
    end = start + timedelta(days=int(rng.integers(80, 420)))
    response = str(rng.choice(("partial response", "stable disease", "progressive disease"), p=(0.35, 0.3, 0.35)))
    drugs = _first_line(biology, er)
    rows = tuple(
        Treatment(drug, _at(f"MedicationAdministration/treatment-{i}"), 1, start.isoformat(), end.isoformat(), response)
        for i, drug in enumerate(drugs, start=1)
    )
    return rows, end


def _medications(code: str, rng: Generator) -> tuple[Medication, ...]:
    chosen = [
        drug
        for drug, share in MEDICINES
        if rng.random() < (0.5 if drug == "levetiracetam" and code == "DIFG" else share)
    ]
    return tuple(Medication(drug, _at(f"MedicationStatement/medication-{i}")) for i, drug in enumerate(chosen, start=1))


def _labs(biology: Biology, taken: date, rng: Generator) -> tuple[Lab, ...]:
    female = biology.sex == "female"
    kidney = 0.25 if biology.oncotree_code == "CCRCC" else 0.0
    values = (
        ("creatinine", max(0.4, float(rng.normal((0.80 if female else 0.98) + kidney, 0.20))), "mg/dL", 2),
        ("haemoglobin", max(7.5, float(rng.normal((12.6 if female else 13.8) - 0.4 * biology.ecog, 1.2))), "g/dL", 1),
        ("ALT", max(6.0, float(rng.lognormal(3.1, 0.4))), "U/L", 0),
    )
    return tuple(
        Lab(name, round(value, digits), unit, _at(f"Observation/lab-{i}"), taken.isoformat())
        for i, (name, value, unit, digits) in enumerate(values, start=1)
    )


def _biomarkers(biology: Biology, er: bool | None, tested: date, rng: Generator) -> tuple[Biomarker, ...]:
    code, day = biology.oncotree_code, tested.isoformat()
    high = rng.random() < 0.01
    burden = float(rng.lognormal(0, 0.45)) * TMB_MEDIAN[code] * (5 if high else 1)
    if code == "LUAD" and biology.molecular["EGFR"]:
        burden *= 0.6
    rows: list[tuple[str, float | str, str | None]] = [
        ("TMB", round(burden, 1), "mutations/Mb"),
        ("MSI", "MSI-H" if high else "MSS", None),
    ]
    if code == "LUAD":
        score = rng.normal(10 + 16 * biology.latent["immune"], 22)
        rows.append(("PD-L1", float(min(95, max(0, round(score)))), "%"))
    if code == "BRCA":
        pr = bool(er and rng.random() < 0.8)
        rows += [("ER", "positive" if er else "negative", None), ("PR", "positive" if pr else "negative", None)]
        low = str(rng.choice(("0", "1+", "2+"), p=(0.4, 0.35, 0.25)))
        rows.append(("HER2 IHC", "3+" if biology.molecular["ERBB2"] else low, None))
    return tuple(
        Biomarker(name, value, _at(f"Observation/biomarker-{i}"), unit, day)
        for i, (name, value, unit) in enumerate(rows, start=1)
    )
