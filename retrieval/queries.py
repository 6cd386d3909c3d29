"""The questions retrieval asks about one patient: one per kind of thing a tumour board wants to read.

What this module does not know: indexes and passages; the words come from the record, the prediction and the
OncoTree name only. A modality that is absent simply adds no words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from encoders import oncotree
from encoders.patient import Biomarker, Patient
from encoders.prediction import PatientPrediction
from encoders.vocabulary import CANCERS
from retrieval.biomarker_rules import FUSION_GENES, gene_name, variant_words
from retrieval.bm25 import words
from retrieval.lexicon import canonical_gene
from retrieval.passage import Direction, Passage, Query, TherapyMatch
from retrieval.therapy_safety import EARLY_STAGES, next_line, stage_group
from retrieval.variant_class import variant_class

MAX_ALTERATIONS = 4
ABOUT_ALTERED = re.compile(r"(?i:mutat|mutant|fusion|rearrang|amplif|alter|loss|positive|driver)|\b[A-Z]\d{2,4}[A-Z]\b")
WITHOUT = re.compile(r"(?i)\bwithout\b|\bno\b|wild[- ]type")
HITS_PER_QUERY = 4


def disease_words(patient: Patient) -> str:
    """The disease in plain words: the OncoTree name, else the histology, else "cancer"."""
    return _disease_name(patient.oncotree_code) or patient.diagnosis.histology or "cancer"


def _disease_name(code: str | None) -> str | None:
    return None if code is None else CANCERS.get(code) or oncotree.name(code)


def with_disease(query: Query) -> str:
    """The question as searched in guidelines: "first-line treatment" of a LUAD -> "... in lung adenocarcinoma".

    A question that names the disease already, or is limited to none, stays as it is.
    """
    disease = _disease_name(query.oncotree_code)
    if disease is None or set(words(disease)) <= set(words(query.text)):
        return query.text
    return f"{query.text.rstrip(' .?!')} in {disease}"


def alterations(patient: Patient, therapies: Sequence[TherapyMatch] = ()) -> tuple[str, ...]:
    """The patient's alterations in words, those a therapy row matched on first; at most MAX_ALTERATIONS."""
    words = [
        word
        for match in therapies
        if match.alteration_keys and not match.alteration_keys[0].startswith("biomarker:")
        for word in match.matched_on[:1]
    ]
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
    found = alterations(patient, therapies)
    questions = [*_therapy_questions(therapies, disease)]
    questions += [] if questions else [f"{plain_change(c)} targeted treatment in {disease}" for c in found[:2]]
    questions.append(f"{_setting(patient)} treatment of {disease}{stage}")
    questions += [f"{_biomarker_words(b)} and immunotherapy in {disease}" for b in patient.biomarkers[:2]]
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


def _biomarker_words(biomarker: Biomarker) -> str:
    value = biomarker.value if isinstance(biomarker.value, str) else f"{biomarker.value:g}"
    return f"{biomarker.name} {value} {biomarker.unit or ''}".strip()


def _setting(patient: Patient) -> str:
    """The treatment asked about: adjuvant for an untreated early stage, else by line."""
    stage = stage_group(patient.diagnosis.stage)
    if stage is not None and EARLY_STAGES.match(stage) and not patient.treatments:
        return "adjuvant and neoadjuvant"
    return {1: "first-line", 2: "second-line"}.get(next_line(patient) or 0, "later-line")


def about_other_genes(patient: Patient, passage: Passage) -> bool:
    """Whether a passage's title is about alterations that the patient was tested for and does not have.

    "KRAS-mutated lung adenocarcinoma" in a sequenced patient without KRAS mutation; "without EGFR alteration" in
    one with it. Titles without a gene, and genes of patients who were not sequenced, decide nothing.
    """
    genes = {g for word in re.findall(r"[A-Z][A-Z0-9]{2,}", passage.title) if (g := canonical_gene(word))}
    if not genes or patient.variants is None or not ABOUT_ALTERED.search(passage.title):
        return False
    altered = {gene_name(v.gene) for v in patient.variants if variant_class(v) is not None}
    altered |= {gene_name(g) for f in patient.fusions or () for g in (f.gene5, f.gene3)}
    altered |= {gene_name(c.gene) for c in patient.copy_number or () if c.call in ("amplification", "deep deletion")}
    if WITHOUT.search(passage.title):
        return bool(genes & altered)
    untested = (FUSION_GENES if patient.fusions is None else frozenset()) | (
        frozenset(("ERBB2",)) if patient.copy_number is None else frozenset()
    )
    return not genes & (altered | untested)


def _therapy_questions(therapies: Sequence[TherapyMatch], disease: str) -> tuple[str, ...]:
    """One question for each of the first two alterations an offered row matched, naming that row's drugs."""
    found: dict[tuple[str, ...], str] = {}
    for match in therapies:
        if not match.excluded and match.row.direction is Direction.SENSITIVITY:
            gene = f"{match.row.rule.genes[0]}-mutated " if match.row.rule.kind == "mutation" else ""
            marker = "" if match.row.rule.kind == "none" else f" for {match.row.rule.text}"
            words = f"{' and '.join(match.row.drugs)}{marker} in {gene}{disease}"
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
