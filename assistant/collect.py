"""Collect: patient + prediction + retrieved knowledge -> the ledger of everything a report may say.

Ids are numbered per kind in rank order; each type has a cap, and what rank leaves out is listed in
``Ledger.left_out``. Evidence is never merged or reworded after this point.

Not known here: which section uses what (assistant/sections.py) or how a claim is checked (grounding.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from assistant.collect_absent import draft_absent
from assistant.collect_conflicts import draft_conflicts
from assistant.collect_draft import Draft
from assistant.collect_imaging import draft_imaging
from assistant.collect_lesions import draft_lesions
from assistant.collect_molecular import draft_molecular, silent_count
from assistant.collect_names import only_names
from assistant.collect_patient import draft_facts
from assistant.collect_prediction import draft_predictions
from assistant.collect_retrieval import IMPORTED, draft_retrieved
from assistant.evidence import EVIDENCE_FIELDS, Evidence, EvidenceKind, Ledger
from encoders.patient import Patient
from encoders.prediction import PatientPrediction
from retrieval.passage import Retrieved

CAPS = {
    "treatment": 6, "medication": 6, "lab": 6, "note": 4, "conflict": 4, "series": 6, "series_verdict": 6, "lesion": 4,
    "variant": 8,
    "copy_number": 6, "fusion": 4, "biomarker": 8, "similar_case": 5, "passage": 6, "heatmap": 3, "gene_attribution": 1,
    "contribution": 1, "pathway": 4, "proposed_lesion": 5, "lesion_change": 8, "lesion_sum": 4, "lesion_intensity": 4,
}  # fmt: skip
"""Most evidence of one type in a ledger; types not named have no cap."""

OFFERED_CAP, EXCLUDED_CAP, IMPORTED_CAP = 8, 5, 4


def collect_evidence(patient: Patient, prediction: PatientPrediction, retrieved: Retrieved) -> Ledger:
    """Build the ledger of one case.

    Parameters
    ----------
    patient, prediction, retrieved : what the readers, the encoders and the retrieval found

    Returns
    -------
    Ledger in the order F I M P X S G, by falling rank inside each kind.
    """
    drafts = [d for d in _all_drafts(patient, prediction, retrieved) if d.fields]
    kept, left_out = _bounded(drafts)
    if silent := silent_count(patient):
        left_out.append(f"{silent} variants that do not change the protein")
    if extra := sum(a.map is None and not a.values for a in prediction.attributions):
        left_out.append(f"{extra} explanations without values")
    return Ledger(tuple(_numbered(kept)), tuple(left_out))


def reserve_evidence(
    ledger: Ledger, patient: Patient, prediction: PatientPrediction, retrieved: Retrieved
) -> tuple[Evidence, ...]:
    """What rank left out of a case's ledger, under ids that go on where the ledger's end; for a question that names it.

    Parameters
    ----------
    ledger : as ``collect_evidence`` built it from the other three
    """
    held = {(e.type, e.text) for e in ledger}
    drafts = {(d.type, d.text): d for d in _all_drafts(patient, prediction, retrieved) if d.fields}
    return number_after(ledger, [d for key, d in drafts.items() if key not in held])


def number_after(ledger: Ledger, drafts: Iterable[Draft]) -> tuple[Evidence, ...]:
    """Drafts as evidence whose ids follow the highest number of their kind in ``ledger``."""
    last: Counter[str] = Counter()
    for item in ledger:
        last[item.kind.value] = max(last[item.kind.value], int(item.id[1:]))
    return tuple(_numbered(drafts, last))


def left_out_counts(ledger: Ledger) -> dict[str, int]:
    """Type of evidence -> how many of it rank left out; {} when nothing was."""
    return dict(Counter(said.partition(":")[0] for said in ledger.left_out if ": " in said))


def _all_drafts(patient: Patient, prediction: PatientPrediction, retrieved: Retrieved) -> Iterator[Draft]:
    patient, sentences = only_names(patient)
    yield from sentences
    yield from draft_facts(patient, retrieved)
    yield from draft_absent(patient)
    yield from draft_conflicts(patient, prediction)
    yield from draft_imaging(patient, prediction)
    yield from draft_lesions(patient, prediction)
    yield from draft_molecular(patient, prediction, retrieved)
    yield from draft_predictions(patient, prediction)
    yield from draft_retrieved(retrieved)


def _group(draft: Draft) -> str:
    if draft.type == "therapy":
        if (draft.source.place or "").startswith(IMPORTED):
            return "therapy imported"
        return "therapy offered" if draft.fields["status"].display == "offered" else "therapy excluded"
    return draft.type


def _bounded(drafts: Iterable[Draft]) -> tuple[list[Draft], list[str]]:
    caps = {**CAPS, "therapy offered": OFFERED_CAP, "therapy excluded": EXCLUDED_CAP, "therapy imported": IMPORTED_CAP}
    groups: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[_group(draft)].append(draft)
    kept: list[Draft] = []
    left_out: list[str] = []
    for name, members in groups.items():
        unique = list({(d.type, d.text): d for d in members}.values())
        ordered = sorted(unique, key=lambda d: -d.rank)
        cap = caps.get(name, len(ordered))
        kept += ordered[:cap]
        left_out += [f"{name}: {d.label or d.text}" for d in ordered[cap:]]
    return kept, left_out


def _numbered(drafts: Iterable[Draft], last: Mapping[str, int] | None = None) -> Iterator[Evidence]:
    by_kind: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        by_kind[EVIDENCE_FIELDS[draft.type][0]].append(draft)
    for kind in EvidenceKind:
        first = 1 + (last or {}).get(kind.value, 0)
        for number, draft in enumerate(sorted(by_kind[kind.value], key=lambda d: -d.rank), start=first):
            yield Evidence(
                id=f"{kind.value}{number}", kind=kind, type=draft.type, text=draft.text, fields=draft.fields,
                source=draft.source, rank=draft.rank, perceived=draft.perceived, perceived_from=draft.perceived_from,
            )  # fmt: skip
