"""Where two sources about the same thing disagree: prediction, notes and images against record and sequencing.

Only disagreements that can be read off the contracts are found; two notes that differ in tone are not. Each side is
told with its source and place. Two records (FHIR and JSON) that differ are told among the reading warnings.
A contradiction is reported, never resolved: which side is right is the reader's decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from assistant.contradictions_images import image_disagreements
from assistant.contradictions_notes import note_disagreements, note_name, note_place
from assistant.contradictions_scope import Case, placed
from assistant.contradictions_tumour import same_lineage
from encoders import oncotree
from encoders.patient import Patient, SourceLocator
from encoders.prediction import PatientPrediction, Prediction
from encoders.vocabulary import CANCERS, MOLECULAR_LABELS

CONFIDENT = 0.8
"""A prediction at or above this probability that disagrees with a measurement is worth showing."""

_NEGATIVE = {"mutated": "wild type", "amplified": "not amplified"}


KINDS = (
    "sex", "age", "histology", "cancer_type", "body_part", "laterality", "stage", "variant", "molecular", "fusion",
    "copy_number", "biomarker", "treatment", "treatment_line", "measurable_disease", "lesion_number", "lesion",
)  # fmt: skip
"""What sources can disagree on, most consequential first: whose files these are, which disease, then what chooses a
therapy, then what has been done and measured."""


@dataclass(frozen=True)
class Contradiction:
    """Two sources that disagree.

    kind : one of KINDS
    first, second : the two sides in words, each with its source and place
    sources : where each side stands; None for a side that no file holds (a prediction)
    """

    kind: str
    statement: str
    first: str
    second: str
    sources: tuple[SourceLocator | None, SourceLocator | None] = (None, None)

    @property
    def file(self) -> str | None:
        """The file of the first side."""
        return self.sources[0].file if self.sources[0] else None


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
    case = Case(patient, prediction)
    found = (*_molecular(patient, prediction), *_cancer_type(patient, prediction), *_notes(case), *_images(case))
    return tuple(sorted(found, key=lambda c: KINDS.index(c.kind)))


def _molecular(patient: Patient, prediction: PatientPrediction) -> Iterator[Contradiction]:
    for predicted in prediction.predictions:
        if not predicted.task.startswith("molecular:"):
            continue
        gene = predicted.task.partition(":")[2]
        label, chance = predicted_label(predicted)
        measured = measured_state(patient, gene)
        if measured is not None and measured != label and chance >= CONFIDENT:
            source = next((v.source for v in patient.variants or () if v.gene == gene), None)
            basis = "the image" if set(predicted.inputs) <= {"imaging"} else ", ".join(predicted.inputs)
            first = f"{_model(predicted)} predicts {gene} {label} from {basis}, probability {chance:.2f}"
            second = f"{placed('sequencing', source)} reports {gene} {measured}"
            statement = f"Prediction and sequencing disagree on {gene}: {first}; {second}."
            yield Contradiction("molecular", statement, first, second, (None, source))


def _cancer_type(patient: Patient, prediction: PatientPrediction) -> Iterator[Contradiction]:
    recorded = patient.oncotree_code
    for predicted in prediction.predictions:
        if predicted.task != "cancer_type" or recorded is None:
            continue
        code = predicted_type_code(predicted)
        if not same_lineage(code or "", recorded) and (predicted.probability or 0) >= CONFIDENT:
            source = patient.sources.get("oncotree_code")
            said = CANCERS.get(code or "") or oncotree.name(code or "") or code
            first = f"{_model(predicted)} predicts {said}, probability {predicted.probability:.2f}"
            name = CANCERS.get(recorded) or oncotree.name(recorded) or recorded
            second = f"{placed('the record', source)} says {name}"
            statement = f"Prediction and record disagree on the cancer type: {first}; {second}."
            yield Contradiction("cancer_type", statement, first, second, (None, source))


def _model(predicted: Prediction) -> str:
    return f"the model ({predicted.model_card} {predicted.weight_hash[:12]})"


def _notes(case: Case) -> Iterator[Contradiction]:
    for note, clause, found in note_disagreements(case):
        place = note_place(note, clause)
        first = f"{placed(note_name(note), place)} says {found.said}"
        statement = f"Note and {found.against} disagree on {found.what}: {first}; {found.other}."
        yield Contradiction(found.kind, statement, first, found.other, (place, found.other_source))


def _images(case: Case) -> Iterator[Contradiction]:
    seen: set[tuple[str, str]] = set()
    for series, found in image_disagreements(case):
        if (found.kind, found.said) in seen:
            continue
        seen.add((found.kind, found.said))
        name = f"the {series.role or series.modality.value}" + (f" of {series.date}" if series.date else "")
        first = f"{placed(name, series.source)} says {found.said}"
        statement = f"Image and record disagree on {found.what}: {first}; {found.other}."
        yield Contradiction(found.kind, statement, first, found.other, (series.source, found.other_source))
