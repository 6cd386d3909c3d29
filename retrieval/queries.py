"""The questions retrieval asks about one patient: one per kind of thing a tumour board wants to read.

What this module does not know: indexes and passages; the words come from the record, the prediction and the
OncoTree name only. A modality that is absent simply adds no words.
"""

from __future__ import annotations

from collections.abc import Sequence

from encoders import oncotree
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from encoders.vocabulary import CANCERS
from retrieval.biomarker_rules import variant_words
from retrieval.passage import Direction, Query, TherapyMatch
from retrieval.therapy_safety import next_line
from retrieval.variant_class import variant_class

MAX_ALTERATIONS = 4
HITS_PER_QUERY = 4


def disease_words(patient: Patient) -> str:
    """The disease in plain words: the OncoTree name, else the histology, else "cancer"."""
    code = patient.oncotree_code
    if code is not None and (known := CANCERS.get(code) or oncotree.name(code)):
        return known
    return patient.diagnosis.histology or "cancer"


def alterations(patient: Patient, therapies: Sequence[TherapyMatch] = ()) -> tuple[str, ...]:
    """The patient's alterations in words, those a therapy row matched on first; at most MAX_ALTERATIONS."""
    words = [word for match in therapies if match.alteration_keys for word in match.matched_on[:1]]
    words += [f"{f.gene5}-{f.gene3} fusion" for f in patient.fusions or ()]
    words += [variant_words(v) for v in patient.variants or () if variant_class(v) is not None]
    words += [f"{c.gene} {c.call}" for c in patient.copy_number or () if c.call in ("amplification", "deep deletion")]
    return tuple(dict.fromkeys(words))[:MAX_ALTERATIONS]


def patient_questions(
    patient: Patient, prediction: PatientPrediction | None, therapies: Sequence[TherapyMatch] = ()
) -> tuple[str, ...]:
    """Question texts in the order of their weight; the first ones keep their place when hits are cut."""
    disease = disease_words(patient)
    stage = f" stage {patient.diagnosis.stage}" if patient.diagnosis.stage else ""
    coming = {1: "first-line", 2: "second-line"}.get(next_line(patient) or 0, "later-line")
    found = alterations(patient, therapies)
    questions = [*_therapy_questions(therapies, disease)]
    questions += [] if questions else [f"{plain_change(c)} targeted treatment in {disease}" for c in found[:2]]
    questions.append(f"{coming} treatment of {disease}{stage}")
    questions += [
        f"{b.name} {b.value} biomarker testing and immunotherapy in {disease}" for b in patient.biomarkers[:2]
    ]
    questions += [f"treatment and resistance after {t.drug} in {disease}" for t in patient.treatments[-1:]]
    questions.append(f"prognosis and survival in {disease}{stage}" + _predicted(prediction))
    questions.append(f"imaging follow-up and response assessment in {disease}")
    questions += [f"{plain_change(change)} in {disease}" for change in found]
    if patient.variants is None or patient.fusions is None:
        questions.append(f"molecular biomarker testing recommended in {disease}")
    questions += [f"toxicity and monitoring of {d}" for d in _first_drugs(therapies)]
    return tuple(dict.fromkeys(questions))


def plain_change(words: str) -> str:
    """ "EGFR p.L858R" -> "EGFR-mutated L858R": guidelines write of mutated genes, seldom of one change."""
    gene, _, change = words.partition(" p.")
    return f"{gene}-mutated {change}" if change else words


def _therapy_questions(therapies: Sequence[TherapyMatch], disease: str) -> tuple[str, ...]:
    """One question for each of the first two alterations an offered row matched, naming that row's drugs."""
    found: dict[tuple[str, ...], str] = {}
    for match in therapies:
        if not match.excluded and match.row.direction is Direction.SENSITIVITY:
            gene = f"{match.row.rule.genes[0]}-mutated " if match.row.rule.kind == "mutation" else ""
            words = f"{' and '.join(match.row.drugs)} for {match.row.rule.text} in {gene}{disease}"
            found.setdefault(match.alteration_keys, words)
    return tuple(found.values())[:2]


def _predicted(prediction: PatientPrediction | None) -> str:
    """Molecular labels predicted present, as words of a question; never a fact about the patient."""
    if prediction is None:
        return ""
    likely = [
        p.label for p in prediction.predictions
        if p.task.startswith("molecular:") and p.label and (p.probability or 0) >= 0.5 and "not" not in p.label
    ]  # fmt: skip
    return f" with {', '.join(likely[:2])}" if likely else ""


def _first_drugs(therapies: Sequence[TherapyMatch]) -> tuple[str, ...]:
    offered = [match.row.drugs for match in therapies if not match.excluded]
    return offered[0][:1] if offered else ()


def guideline_queries(
    patient: Patient, prediction: PatientPrediction | None, therapies: Sequence[TherapyMatch] = ()
) -> tuple[Query, ...]:
    """The questions as searches of the guideline passages, limited to the patient's disease where it is coded."""
    questions = patient_questions(patient, prediction, therapies)
    return tuple(Query(text=q, oncotree_code=patient.oncotree_code, k=HITS_PER_QUERY) for q in questions)


NOTE_QUESTIONS = (
    "course of the disease, progression or response to treatment",
    "side effects, other illnesses and medicines",
    "symptoms and performance status",
)
"""What is looked for in a patient's own notes."""
