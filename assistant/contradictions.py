"""Where two sources about the same thing disagree: modality against modality, notes against record.

Only disagreements that can be read off the contracts are found; two notes that differ in tone are not.
A contradiction is reported, never resolved: which side is right is the reader's decision.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.contradictions_notes import note_sides
from encoders.patient import Patient
from encoders.prediction import PatientPrediction, Prediction
from encoders.vocabulary import CANCERS, MOLECULAR_LABELS

CONFIDENT = 0.8
"""A prediction at or above this probability that disagrees with a measurement is worth showing."""

_NEGATIVE = {"mutated": "wild type", "amplified": "not amplified"}
_STAGE = re.compile(r"\b[Ss]tage\s+(IV|I{1,3})\s?([ABC])?(\d)?\b")
_GIVEN = re.compile(
    r"(?i)\b(?:received|treated with|started on|currently on|completed|progress(?:ed|ion) on|responding to)\s+"
    r"(?:\w+\s+){0,3}?([a-z][a-z-]{4,})\b"
)


@dataclass(frozen=True)
class Contradiction:
    """first and second : the two sides in words.

    kind : molecular, cancer_type, stage, treatment, sex, age, laterality, variant, biomarker or lesion
    """

    kind: str
    statement: str
    first: str
    second: str
    file: str | None = None


def predicted_label(predicted: Prediction) -> tuple[str, float]:
    """The class a molecular prediction favours, in the vocabulary's words, and its probability.

    A positive label below 0.5 is turned into its negative with the remaining probability.
    """
    gene = predicted.task.partition(":")[2]
    positive = MOLECULAR_LABELS.get(gene, ("", "mutated"))[1]
    negative = _NEGATIVE.get(positive, f"not {positive}")
    chance = predicted.probability if predicted.probability is not None else predicted.value
    stated = (predicted.label or positive).lower()
    is_negative = any(w in stated for w in ("wild", "not ", "non-", "no ", "unmutated", "negative"))
    chance_positive = 1 - chance if is_negative else chance
    return (positive, chance_positive) if chance_positive >= 0.5 else (negative, 1 - chance_positive)


def predicted_type_code(predicted: Prediction) -> str | None:
    """The OncoTree code of a cancer type prediction, whether its label is the code or the name."""
    label = predicted.label or ""
    by_name = {name.lower(): code for code, name in CANCERS.items()}
    return label if label in CANCERS else by_name.get(label.lower(), label or None)


def measured_state(patient: Patient, gene: str) -> str | None:
    """What sequencing says of a predicted gene ("mutated", "wild type", ...); None when it was not tested."""
    positive = MOLECULAR_LABELS.get(gene, ("", "mutated"))[1]
    if positive == "amplified":
        if patient.copy_number is None:
            return None
        hit = any(c.gene == gene and c.call == "amplification" for c in patient.copy_number)
    else:
        if patient.variants is None:
            return None
        hit = any(v.gene == gene and "silent" not in v.consequence.lower() for v in patient.variants)
    return positive if hit else _NEGATIVE.get(positive, f"not {positive}")


def molecular_agreement(patient: Patient, gene: str, label: str) -> str:
    """Whether a predicted label agrees with sequencing, in the words of the ledger."""
    measured = measured_state(patient, gene)
    if measured is None:
        return "not tested by sequencing"
    return "agrees with sequencing" if measured == label else "disagrees with sequencing"


def find_contradictions(patient: Patient, prediction: PatientPrediction) -> tuple[Contradiction, ...]:
    """Every contradiction of the case, most consequential first."""
    return (
        *_molecular(patient, prediction),
        *_cancer_type(patient, prediction),
        *_notes(patient),
        *_note_values(patient, prediction),
    )


def _molecular(patient: Patient, prediction: PatientPrediction) -> Iterator[Contradiction]:
    for predicted in prediction.predictions:
        if not predicted.task.startswith("molecular:"):
            continue
        gene = predicted.task.partition(":")[2]
        label, chance = predicted_label(predicted)
        measured = measured_state(patient, gene)
        if measured is not None and measured != label and chance >= CONFIDENT:
            first = f"the model predicts {gene} {label} from the image, probability {chance:.2f}"
            second = f"sequencing reports {gene} {measured}"
            yield Contradiction(
                "molecular", f"Image and sequencing disagree on {gene}: {first}; {second}.", first, second
            )


def _cancer_type(patient: Patient, prediction: PatientPrediction) -> Iterator[Contradiction]:
    for predicted in prediction.predictions:
        if predicted.task != "cancer_type" or patient.oncotree_code is None:
            continue
        code = predicted_type_code(predicted)
        if code != patient.oncotree_code and (predicted.probability or 0) >= CONFIDENT:
            first = f"the model predicts {CANCERS.get(code or '', code)}, probability {predicted.probability:.2f}"
            second = f"the record says {CANCERS.get(patient.oncotree_code, patient.oncotree_code)}"
            yield Contradiction(
                "cancer_type", f"Model and record disagree on the cancer type: {first}; {second}.", first, second
            )


def _notes(patient: Patient) -> Iterator[Contradiction]:
    recorded = re.sub(r"(?i)^stage\s+|\s", "", patient.diagnosis.stage or "").upper()
    seen: set[tuple[str, str]] = set()
    for note in patient.notes:
        dated = f"the note of {note.date}" if note.date else f"the note {note.source.file}"
        for match in _STAGE.finditer(note.text) if recorded else ():
            stated = "".join(g or "" for g in match.groups()).upper()
            if not (recorded.startswith(stated) or stated.startswith(recorded)) and ("stage", stated) not in seen:
                seen.add(("stage", stated))
                first, second = f"{dated} says stage {stated}", f"the record says stage {recorded}"
                yield _note_against_record("stage", "the stage", first, second, note.source.file)
        for drug in _drugs_given(note.text) if patient.treatments else ():
            if drug not in _recorded_drugs(patient) and ("drug", drug) not in seen:
                seen.add(("drug", drug))
                first = f"{dated} says {drug} was given"
                second = f"the record lists {', '.join(t.drug for t in patient.treatments)}"
                yield _note_against_record("treatment", "treatment", first, second, note.source.file)


def _note_values(patient: Patient, prediction: PatientPrediction) -> Iterator[Contradiction]:
    sizes = tuple(m.longest_axial_diameter_mm for m in prediction.measurements if m.longest_axial_diameter_mm)
    seen: set[tuple[str, str]] = set()
    for note in patient.notes:
        dated = f"the note of {note.date}" if note.date else f"the note {note.source.file}"
        for kind, what, said, other in note_sides(patient, note, sizes):
            if (kind, said) not in seen:
                seen.add((kind, said))
                yield _note_against_record(kind, what, f"{dated} says {said}", other, note.source.file)


def _note_against_record(kind: str, what: str, first: str, second: str, file: str) -> Contradiction:
    return Contradiction(kind, f"Note and record disagree on {what}: {first}; {second}.", first, second, file)


def _canonical(name: str) -> str | None:
    from retrieval.lexicon import canonical_drug  # noqa: PLC0415  the lexicon reads its files on first use

    return canonical_drug(name)


def _drugs_given(text: str) -> tuple[str, ...]:
    found = (_canonical(m[1]) for m in _GIVEN.finditer(text))
    return tuple(dict.fromkeys(d for d in found if d))


def _recorded_drugs(patient: Patient) -> set[str]:
    words = [w for t in patient.treatments for w in (t.drug, *re.split(r"[\s+,/]+", t.drug))]
    words += [m.drug for m in patient.medications]
    return {c for w in words if (c := _canonical(w))}
