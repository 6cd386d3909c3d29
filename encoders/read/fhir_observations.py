"""FHIR Observations -> stage group, ECOG, grade, biomarkers, pregnancy, genomic variants, laboratory values.

What this module does not know: TNM categories, Karnofsky scores (not converted), vital signs; all are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from encoders.patient import Biomarker, Lab, SourceLocator, Variant
from encoders.read.cancer_codes import (
    BIOMARKERS,
    ECOG_ANSWERS,
    ECOG_LOINC,
    HGNC,
    PREGNANCY_ANSWERS,
    PREGNANCY_LOINC,
    PREGNANCY_STATUS,
    STAGE_GROUPS,
    clean_display,
)
from encoders.read.fhir_conditions import stage_group
from encoders.read.fhir_fields import Resource, codes, display
from encoders.read.hgvs import one_letter

VARIANT_LOINC = "69548-6"
GENE, PROTEIN, CODING, SOURCE_CLASS, FRACTION = "48018-6", "48005-3", "48004-6", "48002-0", "81258-6"
GERMLINE, ABSENT = "LA6683-2", "LA9634-2"
_GRADE_CODES = frozenset(("33732-9", "371469007", "59542-1"))
_DATES = ("effectiveDateTime", "effectivePeriod", "issued")


@dataclass(frozen=True)
class Observed:
    """What the observations of one file say."""

    stage: str | None = None
    tnm_edition: str | None = None
    grade: str | None = None
    ecog: int | None = None
    labs: tuple[Lab, ...] = ()
    biomarkers: tuple[Biomarker, ...] = ()
    variants: tuple[Variant, ...] = ()
    sources: Mapping[str, SourceLocator] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_observations(observations: Sequence[Resource]) -> Observed:
    """Sort the observations by what they are; of repeated ECOG and stage the latest counts."""
    kept = sorted((o for o in observations if not o.refuted()), key=lambda o: o.date(*_DATES) or "")
    stage = _stage(kept)
    ecog = next(((o, v) for o in reversed(kept) if (v := _ecog(o)) is not None), None)
    grade = next((o for o in reversed(kept) if _GRADE_CODES & set(codes(o.data.get("code"))) and _value(o)), None)
    labs, biomarkers, variants, used = [], [], [], set()
    for number, observation in enumerate(kept):
        for read, into in ((_variant, variants), (_pregnancy, biomarkers), (_biomarker, biomarkers), (_lab, labs)):
            found = read(observation)
            if found is not None:
                into.append(found)
                used.add(number)
                break
    special = [o for o in kept if _is_stage(o) or _is_ecog(o) or o is grade]
    unused = Counter(_category(o) for i, o in enumerate(kept) if i not in used and o not in special)
    sources = {}
    if stage:
        sources["diagnosis.stage"] = stage.place()
        sources["diagnosis.tnm_edition"] = stage.place("method")
    if ecog:
        sources["ecog"] = ecog[0].place()
    if grade:
        sources["diagnosis.grade"] = grade.place()
    edition = _edition(stage) if stage else None
    if edition is None:
        sources.pop("diagnosis.tnm_edition", None)
    return Observed(
        stage=stage_group(display(stage.data.get("valueCodeableConcept")) or stage.data.get("valueString"))
        if stage
        else None,
        tnm_edition=edition,
        grade=str(_value(grade)) if grade else None,
        ecog=ecog[1] if ecog else None,
        labs=tuple(labs),
        biomarkers=tuple(biomarkers),
        variants=tuple(variants),
        sources=sources,
        skipped=tuple(f"FHIR: {n} {kind} Observation(s) not used" for kind, n in sorted(unused.items())),
    )


def _is_stage(observation: Resource) -> bool:
    return bool(STAGE_GROUPS.keys() & set(codes(observation.data.get("code")))) or observation.has_profile(
        "stage-group", "StageGroup"
    )


def _stage(kept: Sequence[Resource]) -> Resource | None:
    """The stage group that counts: pathologic before clinical before other; of one kind the latest."""
    rank = {"pathologic": 2, "clinical": 1, "other": 0}

    def order(observation: Resource) -> tuple[int, str]:
        kinds = [STAGE_GROUPS[c] for c in codes(observation.data.get("code")) if c in STAGE_GROUPS]
        return max((rank[k] for k in kinds), default=0), observation.date(*_DATES) or ""

    stages = [o for o in kept if _is_stage(o) and (o.data.get("valueCodeableConcept") or o.data.get("valueString"))]
    return max(stages, key=order, default=None)


def _edition(stage: Resource) -> str | None:
    """ "AJCC Cancer Staging Manual 8th Edition" -> "AJCC 8"."""
    text = display(stage.data.get("method")) or ""
    number = re.search(r"\b([5-9])(?:th)?\b", text)
    body = re.search(r"ajcc|uicc", text, re.IGNORECASE)
    return f"{body.group().upper()} {number.group(1)}" if number and body else None


def _is_ecog(observation: Resource) -> bool:
    return ECOG_LOINC in codes(observation.data.get("code")) or observation.has_profile("ecog-performance")


def _ecog(observation: Resource) -> int | None:
    if not _is_ecog(observation):
        return None
    answers = codes(observation.data.get("valueCodeableConcept")) + codes(observation.data.get("interpretation"))
    number = observation.data.get("valueInteger", (observation.data.get("valueQuantity") or {}).get("value"))
    if number is None:
        number = next((ECOG_ANSWERS[a] for a in answers if a in ECOG_ANSWERS), None)
    return int(number) if number is not None else None


def _value(observation: Resource) -> float | str | None:
    """A number, or a word in plain lower-case spelling ("Positive (qualifier value)" -> "positive")."""
    quantity = observation.data.get("valueQuantity") or {}
    for found in (quantity.get("value"), observation.data.get("valueInteger")):
        if isinstance(found, int | float):
            return float(found)
    shown = display(observation.data.get("valueCodeableConcept")) or observation.data.get("valueString")
    if not shown:
        return None
    plain = re.sub(r"\s*\((qualifier value|finding)\)$", "", str(shown)).strip()
    return plain.lower() if plain.lower() in ("positive", "negative", "equivocal", "indeterminate") else plain


def _unit(observation: Resource) -> str | None:
    quantity = observation.data.get("valueQuantity") or {}
    return quantity.get("unit") or quantity.get("code")


def _biomarker(observation: Resource) -> Biomarker | None:
    concept = observation.data.get("code")
    shown = clean_display(display(concept)) or ""
    name = next((n for n, loinc, words in BIOMARKERS if loinc & set(codes(concept)) or words.search(shown)), None)
    if name is None and observation.has_profile("tumor-marker") and not observation.data.get("valueQuantity"):
        name = shown
    value = _value(observation)
    if not name or value is None:
        return None
    return Biomarker(name, value, observation.place(), unit=_unit(observation), date=observation.date(*_DATES))


def _pregnancy(observation: Resource) -> Biomarker | None:
    """A pregnancy status, kept among the biomarkers; an answer that is none of those known is not used."""
    if PREGNANCY_LOINC not in codes(observation.data.get("code")):
        return None
    answers = codes(observation.data.get("valueCodeableConcept"))
    value = next((PREGNANCY_ANSWERS[a] for a in answers if a in PREGNANCY_ANSWERS), None)
    if value is None and str(_value(observation)).lower() in PREGNANCY_ANSWERS.values():
        value = str(_value(observation)).lower()
    if value is None:
        return None
    return Biomarker(PREGNANCY_STATUS, value, observation.place(), date=observation.date(*_DATES))


def _variant(observation: Resource) -> Variant | None:
    profiled = observation.has_profile("genomic-variant", "genetic-variant", "variant")
    if not profiled and VARIANT_LOINC not in codes(observation.data.get("code")):
        return None
    if ABSENT in codes(observation.data.get("valueCodeableConcept")):
        return None
    parts: dict[str, Mapping[str, Any]] = {}
    for component in observation.list("component"):
        for code in codes(component.get("code")):
            parts.setdefault(code, component)

    def text(code: str) -> str | None:
        component = parts.get(code, {})
        return display(component.get("valueCodeableConcept")) or component.get("valueString")

    gene = _symbol(parts.get(GENE, {}), text(GENE))
    if not gene:
        return None
    fraction = (parts.get(FRACTION, {}).get("valueQuantity") or {}).get("value")
    return Variant(
        gene=gene,
        protein=one_letter(text(PROTEIN)),
        consequence="not stated",
        source=observation.place(),
        coding=text(CODING),
        allele_fraction=float(fraction) if isinstance(fraction, int | float) and 0 <= fraction <= 1 else None,
        germline=GERMLINE in codes(parts.get(SOURCE_CLASS, {}).get("valueCodeableConcept")),
    )


def _symbol(component: Mapping[str, Any], shown: str | None) -> str | None:
    """A gene symbol: by HGNC id, else the display when it looks like a symbol ("ESR1", not a gene's full name)."""
    known = next((HGNC[c] for c in codes(component.get("valueCodeableConcept")) if c in HGNC), None)
    return known or (shown if shown and re.fullmatch(r"[A-Z][A-Za-z0-9.\-]{0,14}", shown) else None)


def _lab(observation: Resource) -> Lab | None:
    quantity = observation.data.get("valueQuantity") or {}
    value, unit = quantity.get("value"), _unit(observation)
    if _category(observation) not in ("laboratory", "tumour marker") or not isinstance(value, int | float) or not unit:
        return None
    name = clean_display(display(observation.data.get("code")))
    if not name:
        return None
    return Lab(name, float(value), str(unit), observation.place(), date=observation.date(*_DATES))


def _category(observation: Resource) -> str:
    if observation.has_profile("tumor-marker"):
        return "tumour marker"
    return next(iter(codes(observation.data.get("category"))), "uncategorised")
