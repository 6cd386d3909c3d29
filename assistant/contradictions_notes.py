"""What a note says against the record: sex, age, side, variants, MSI, TMB, PD-L1, lesion size.

Found by narrow patterns: a sentence that denies, asks, quotes family history or compares with earlier findings is left
alone, so a contradiction may be missed rather than invented. Not known here: which side is right.
"""

# ruff: noqa: E501  a pattern reads better unwrapped
from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from assistant.normalise import one_letter_variant
from encoders.patient import Note, Patient

Sides = tuple[str, str, str, str]
"""kind, what is disagreed on, what the note says, what the other source says."""

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_NOT_ABOUT_NOW = re.compile(
    r"(?i)\b(?:mother|father|sister|brother|aunt|uncle|family|partner|wife|husband|no|not|denies|without|negative for|if|"
    r"rule out|\?|previous(?:ly)?|prior|earlier|before|formerly|was on)\b"
)
_SEX = re.compile(
    r"(?i)\b(?:year[- ]old|y/?o|yr[- ]old|patient is an?|this)\s+(?:[a-z]+\s)?(woman|man|female|male|lady|gentleman)\b"
)
_AGE = re.compile(r"(?i)\b(\d{1,3})[\s-]*(?:year|yr)s?[\s-]*old\b")
_SIDE = re.compile(r"(?i)\b(left|right)\b[\s-]+(?:\w+[\s-]+){0,2}?(breast|lung|kidney|renal|upper lobe|lower lobe)\b")
_VARIANT = re.compile(
    r"\b([A-Z][A-Z0-9]{1,7})\s+(p\.\(?[A-Za-z]{1,3}\d+(?:[A-Za-z]{3}|[A-Z*])\)?|[A-Z]\d{2,4}[A-Z*])(?!\w)"
)
_MSI = re.compile(r"(?i)\b(MSI[- ]?(?:H|high)|microsatellite instability[- ]high|MSS|microsatellite stable)\b")
_TMB = re.compile(r"(?i)\bTMB\b(?:\s+(?:is|was|of|=))*:?\s*(\d+(?:\.\d+)?)\s*(?:mut)")
_PDL1 = re.compile(r"(?i)\bPD-?L1\b(?:\s+(?:TPS|is|was|of|=|expression))*:?\s*(\d+(?:\.\d+)?)\s*%")
_SIZE = re.compile(r"(?i)\b(?:lesion|mass|tumou?r|nodule)\b[^.]{0,30}?\b(\d+(?:\.\d+)?)\s?(mm|cm)\b")
_FEMALE = frozenset(["woman", "female", "lady"])
AGE_TOLERANCE_YEARS = 2.0
"""A note may be written a while before the record's age."""
RELATIVE_TOLERANCE = 0.3
"""A size in a note may be measured on another study or by hand."""
_VALUE_TOLERANCE = 0.05


def note_sides(patient: Patient, note: Note, sizes_mm: tuple[float, ...] = ()) -> Iterator[Sides]:
    """Every disagreement of one note with the patient's other sources; sizes_mm : longest diameters measured."""
    for sentence in _SENTENCE.split(note.text):
        if _NOT_ABOUT_NOW.search(sentence):
            continue
        for find in _FINDERS:
            yield from find(patient, sentence)
        if sizes_mm and (match := _SIZE.search(sentence)):
            stated = float(match[1]) * (10 if match[2].lower() == "cm" else 1)
            if all(abs(stated - s) > RELATIVE_TOLERANCE * s for s in sizes_mm):
                measured = ", ".join(f"{s:.0f} mm" for s in sizes_mm)
                yield "lesion", "the lesion size", f"{match[1]} {match[2].lower()}", f"the images measure {measured}"


def _sex(patient: Patient, sentence: str) -> Iterator[Sides]:
    match = _SEX.search(sentence)
    if match and patient.sex in ("female", "male"):
        said = "female" if match[1].lower() in _FEMALE else "male"
        if said != patient.sex:
            yield "sex", "sex", said, f"the record says {patient.sex}"


def _age(patient: Patient, sentence: str) -> Iterator[Sides]:
    match = _AGE.search(sentence)
    if match and patient.age_years is not None and abs(float(match[1]) - patient.age_years) > AGE_TOLERANCE_YEARS:
        yield "age", "age", f"{match[1]} years", f"the record says {patient.age_years:.0f} years"


def _side(patient: Patient, sentence: str) -> Iterator[Sides]:
    recorded = re.search(r"(?i)\b(left|right)\b", patient.diagnosis.site or "")
    match = _SIDE.search(sentence)
    if recorded and match and match[1].lower() != recorded[1].lower():
        yield (
            "laterality",
            "the side",
            f"{match[1].lower()} {match[2].lower()}",
            f"the record says {patient.diagnosis.site}",
        )


def _variant(patient: Patient, sentence: str) -> Iterator[Sides]:
    from retrieval.lexicon import canonical_gene  # noqa: PLC0415  the lexicon reads its files on first use

    if patient.variants is None:
        return
    for match in _VARIANT.finditer(sentence):
        gene, change = canonical_gene(match[1]), one_letter_variant(match[2])
        if gene is None:
            continue
        held = [one_letter_variant(v.protein or "") for v in patient.variants if canonical_gene(v.gene) == gene]
        if change not in held:
            found = f"reports {gene} {', '.join(h for h in held if h)}" if any(held) else f"reports no {gene} variant"
            yield "variant", f"{gene}", f"{gene} {change}", f"sequencing {found}"


def _biomarkers(patient: Patient, sentence: str) -> Iterator[Sides]:
    for name, pattern in (("TMB", _TMB), ("PD-L1", _PDL1)):
        match = pattern.search(sentence)
        values = [
            b.value for b in patient.biomarkers if b.name.upper().startswith(name) and not isinstance(b.value, str)
        ]
        if match and values and all(abs(float(match[1]) - v) > max(_VALUE_TOLERANCE * v, 0.5) for v in values):
            yield "biomarker", name, f"{name} {match[1]}", f"the record says {name} {values[0]:g}"
    if match := _MSI.search(sentence):
        said = _unstable(match[1])
        for marker in patient.biomarkers:
            recorded = _MSI.search(str(marker.value)) if "MSI" in marker.name.upper() else None
            if recorded and _unstable(recorded[1]) != said:
                yield "biomarker", "MSI", match[1], f"the record says {marker.value}"


def _unstable(text: str) -> bool:
    return "stable" not in text.lower() and text.upper() != "MSS"


_FINDERS: tuple[Callable[[Patient, str], Iterator[Sides]], ...] = (_sex, _age, _side, _variant, _biomarkers)
