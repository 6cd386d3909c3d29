"""FHIR Conditions -> the primary cancer: OncoTree code, histology, site, date, stage written on the Condition.

The primary cancer is the Condition with mCODE's primary-cancer profile, else the one with a cancer code that is
no metastasis; several give the earliest, and a warning.

What this module does not know: staging observations (fhir_observations.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from encoders import oncotree
from encoders.patient import Diagnosis, SourceLocator
from encoders.read.cancer_codes import ICD10, SNOMED, clean_display, code_of_name, refine
from encoders.read.fhir_fields import Resource, codes, codings, display

if TYPE_CHECKING:
    from encoders.read.fhir_observations import Observed

_CANCER_WORDS = re.compile(
    r"malignant|carcinoma|cancer|glioma|blastoma|sarcoma|melanoma|lymphoma|leuk[a]?emia|neoplasm", re.IGNORECASE
)
_METASTASIS_WORDS = re.compile(r"metasta|secondary", re.IGNORECASE)
_IN_THE_PAST = re.compile(r"history of|family|screening|suspected", re.IGNORECASE)


@dataclass(frozen=True)
class Diagnosed:
    """The primary cancer as its Condition says it."""

    oncotree_code: str | None = None
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    sources: Mapping[str, SourceLocator] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def date(self) -> str | None:
        return self.diagnosis.date

    def with_observed(self, observed: Observed) -> Diagnosis:
        """The diagnosis with stage, edition and grade of the observations, which go before the Condition's own."""
        return replace(
            self.diagnosis,
            stage=observed.stage or self.diagnosis.stage,
            tnm_edition=observed.tnm_edition or self.diagnosis.tnm_edition,
            grade=observed.grade or self.diagnosis.grade,
        )


def read_diagnosis(conditions: Sequence[Resource]) -> Diagnosed:
    """The primary cancer among ``conditions``."""
    cancers = [c for c in conditions if not c.refuted() and _is_primary(c)]
    profiled = [c for c in cancers if c.has_profile("primary-cancer-condition", "PrimaryCancerCondition")]
    cancers = sorted(profiled or cancers, key=lambda c: _date(c) or "9999")
    others = len(conditions) - len(cancers)
    skipped = (f"FHIR: {others} other Condition(s) not used",) if others else ()
    if not cancers:
        return Diagnosed(skipped=skipped)
    warnings = ()
    if len({display(c.data.get("code")) for c in cancers}) > 1:
        warnings = (f"{cancers[0].file}: {len(cancers)} primary cancers; the earliest diagnosed is used",)
    return _read(cancers[0], skipped, warnings)


def _is_primary(condition: Resource) -> bool:
    if condition.has_profile("secondary-cancer-condition", "SecondaryCancerCondition"):
        return False
    if condition.has_profile("primary-cancer-condition", "PrimaryCancerCondition"):
        return True
    concept = condition.data.get("code")
    shown = display(concept) or ""
    if _METASTASIS_WORDS.search(shown) or _IN_THE_PAST.search(shown):
        return False
    return _known_code(concept) is not None or bool(_CANCER_WORDS.search(shown) and "benign" not in shown.lower())


def _known_code(concept: object) -> str | None:
    """The OncoTree code of a concept's codings; an unknown code in the OncoTree system itself is an InputError."""
    for coding in codings(concept):
        system, code = str(coding.get("system", "")).lower(), str(coding.get("code", ""))
        if "oncotree" in system:
            return oncotree.check_code(code, "FHIR Condition.code")
        if code in SNOMED and "icd" not in system:
            return SNOMED[code]
        if "icd-10" in system or "icd10" in system:
            found = ICD10.get(code) or ICD10.get(code.split(".", maxsplit=1)[0])
            if found:
                return found
    return code_of_name(display(concept))


def _date(condition: Resource) -> str | None:
    return condition.date("onsetDateTime", "onsetPeriod", "recordedDate", "dateRecorded", "assertedDate")


def _read(condition: Resource, skipped: tuple[str, ...], warnings: tuple[str, ...]) -> Diagnosed:
    concept = condition.data.get("code")
    extension = condition.extension("histology-morphology-behavior") or {}
    morphology = extension.get("valueCodeableConcept")
    code = _known_code(concept)
    for shape in codes(morphology):
        code = refine(code, shape)
    named = code_of_name(display(morphology))
    if named and (code is None or code in oncotree.ancestors(named)):
        code = named
    histology = clean_display(display(morphology)) or clean_display(display(concept))
    staged = next((s.get("summary") for s in condition.list("stage") if s.get("summary")), None)
    stage = stage_group(display(staged))
    date = _date(condition)
    site = clean_display(display(condition.data.get("bodySite")))
    diagnosis = Diagnosis(histology=histology, stage=stage, date=date, site=site)
    filled = {"oncotree_code": code, "diagnosis.histology": histology, "diagnosis.stage": stage}
    filled |= {"diagnosis.date": date, "diagnosis.site": site}
    fields = {"oncotree_code": "code", "diagnosis.stage": "stage", "diagnosis.site": "bodySite"}
    sources = {key: condition.place(fields.get(key, "")) for key, value in filled.items() if value is not None}
    return Diagnosed(code, diagnosis, sources, skipped, warnings)


def stage_group(text: str | None) -> str | None:
    """ "Stage IIIC", "AJCC IIIC", "3C" -> "IIIC"; anything else is kept as written; empty gives None."""
    text = re.sub(r"\([^)]*\)", "", text or "")
    cleaned = re.sub(r"\b(ajcc|uicc|stage|group|anatomic|prognostic|clinical|pathologic(al)?|v?[678](th)?)\b", "",
                     text or "", flags=re.IGNORECASE).strip(" :,()")  # fmt: skip
    match = re.fullmatch(r"([0-4])\s*([A-Ca-c]?[1-3]?)", cleaned)
    if match:
        return ("0", "I", "II", "III", "IV")[int(match.group(1))] + match.group(2).upper()
    return cleaned or None
