"""Facts of the record as evidence: demographics, diagnosis, treatments, medicines, laboratory values, notes.

Not checked here: whether a note agrees with the record (assistant/contradictions.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.collect_draft import Draft, located, neutralise, plain_number, sentence, word
from assistant.evidence import EvidenceSource, Field
from encoders.patient import Note, Patient, SourceLocator
from encoders.vocabulary import CANCERS
from retrieval.passage import Passage, Retrieved

_LINES = {1: "first line", 2: "second line", 3: "third line", 4: "fourth line", 5: "fifth line"}
_KEY_WORDS = re.compile(
    r"(?i)\b(?:stage|progress|recurr|response|metasta|toxicit|pain|dyspn|seizure|weight|biops|smok|allerg|renal|"
    r"performance|treat|therapy|resect|symptom|history|assessment|impression)"
)


def disease_name(code: str | None) -> str | None:
    """The disease in words, from the built-in vocabulary or OncoTree; the code itself when neither knows it."""
    if code is None:
        return None
    if code in CANCERS:
        return CANCERS[code]
    try:
        from retrieval.lexicon import oncotree_name  # noqa: PLC0415  the lexicon reads its files on import
    except ImportError:
        return code
    return oncotree_name(code) or code


def line_words(line: int | None) -> str | None:
    """1 -> "first line"; above 5 the number itself."""
    if line is None:
        return None
    return _LINES.get(line, f"line {line}")


def draft_facts(patient: Patient, retrieved: Retrieved) -> Iterator[Draft]:
    """Every F evidence the record supports, absences and conflicts aside."""
    yield from _demographics(patient)
    yield from _diagnosis(patient)
    yield from _performance(patient)
    yield from _treatments(patient)
    yield from _labs(patient)
    yield from _notes(patient, retrieved)


def _source(patient: Patient, *paths: str) -> SourceLocator | None:
    return next((patient.sources[p] for p in paths if p in patient.sources), None)


def _demographics(patient: Patient) -> Iterator[Draft]:
    fields: dict[str, Field] = {}
    if patient.age_years is not None:
        years = int(patient.age_years)
        fields["age"] = Field(value=years, display=f"{years} years", unit="years")
    if patient.sex:
        fields["sex"] = word(patient.sex)
    if fields:
        text = "The patient is " + ", ".join(
            [*([f"{fields['age'].display} old"] if "age" in fields else []), *([patient.sex] if patient.sex else [])]
        )
        yield Draft("demographics", f"{text}.", fields, located(_source(patient, "age_years", "sex")), rank=90)


def _diagnosis(patient: Patient) -> Iterator[Draft]:
    diagnosis = patient.diagnosis
    fields: dict[str, Field] = {}
    name = disease_name(patient.oncotree_code)
    if name and patient.oncotree_code:
        fields["disease"] = word(name)
        fields["oncotree"] = word(patient.oncotree_code)
    if diagnosis.histology:
        fields["histology"] = word(neutralise(diagnosis.histology, limit=80))
    if diagnosis.stage:
        stage = re.sub(r"(?i)^stage\s+", "", diagnosis.stage).strip()
        fields["stage"] = Field(value=stage, display=f"stage {stage}")
    if diagnosis.tnm_edition:
        fields["tnm_edition"] = word(diagnosis.tnm_edition)
    if diagnosis.grade:
        grade = re.sub(r"(?i)^grade\s+", "", diagnosis.grade).strip()
        named = grade.lower().startswith("who grade")  # a glioma's grade names itself
        fields["grade"] = Field(value=grade, display=grade if named else f"grade {grade}")
    if diagnosis.date:
        fields["date"] = word(diagnosis.date)
    if not fields:
        return
    parts = [fields[k].display for k in ("disease", "stage") if k in fields] or [
        fields[k].display for k in ("histology",) if k in fields
    ]
    text = "The recorded diagnosis is " + (", ".join(parts) if parts else "not named")
    if "tnm_edition" in fields and "stage" in fields:
        text += f" ({fields['tnm_edition'].display})"
    if "grade" in fields:
        text += f", {fields['grade'].display}"
    if "histology" in fields and fields["histology"].display.lower() != (name or "").lower():
        text += f", histology {fields['histology'].display}"
    if "date" in fields:
        text += f", dated {fields['date'].display}"
    source = located(_source(patient, "diagnosis.stage", "diagnosis.histology", "oncotree_code"), date=diagnosis.date)
    yield Draft("diagnosis", f"{text}.", fields, source, rank=100)


def _performance(patient: Patient) -> Iterator[Draft]:
    if patient.ecog is None:
        return
    fields = {"ecog": Field(value=patient.ecog, display=f"ECOG {patient.ecog}")}
    yield Draft(
        "performance",
        f"The performance status is ECOG {patient.ecog}.",
        fields,
        located(_source(patient, "ecog")),
        rank=80,
    )


def _treatments(patient: Patient) -> Iterator[Draft]:
    for given in patient.treatments:
        drug = neutralise(given.drug, limit=80)
        fields = {"drug": word(drug)}
        line = line_words(given.line)
        if line:
            fields["line"] = Field(value=given.line, display=line)
        if given.start:
            fields["start"] = word(given.start)
        if given.response:
            fields["response"] = word(neutralise(given.response, limit=80))
        text = f"Treatment given: {drug}"
        text += f" as {line}" if line else ""
        text += f", started {given.start}" if given.start else ""
        text += f", ended {given.end}" if given.end else ""
        text += f"; response {fields['response'].display}" if "response" in fields else ""
        yield Draft(
            "treatment",
            f"{text}.",
            fields,
            located(given.source, date=given.start),
            rank=70 + (given.line or 0),
            label=drug,
        )
    for medicine in patient.medications:
        drug = neutralise(medicine.drug, limit=80)
        yield Draft(
            "medication",
            f"Current medicine: {drug}.",
            {"drug": word(drug)},
            located(medicine.source),
            rank=40,
            label=drug,
        )


def _labs(patient: Patient) -> Iterator[Draft]:
    latest: dict[str, int] = {}
    for index, lab in enumerate(patient.labs):
        best = latest.get(lab.name)
        if best is None or (lab.date or "") >= (patient.labs[best].date or ""):
            latest[lab.name] = index
    for index in sorted(latest.values()):
        lab = patient.labs[index]
        name = neutralise(lab.name, limit=60)
        shown = f"{plain_number(lab.value)} {lab.unit}".strip()
        fields = {"name": word(name), "value": Field(value=lab.value, display=shown, unit=lab.unit or None)}
        if lab.date:
            fields["date"] = word(lab.date)
        text = f"{name} is {shown}" + (f" on {lab.date}" if lab.date else "")
        yield Draft(
            "lab", sentence(text), fields, located(lab.source, date=lab.date), rank=30 - index * 0.1, label=name
        )


def _notes(patient: Patient, retrieved: Retrieved) -> Iterator[Draft]:
    own = [hit for hit in retrieved.passages if hit.passage.patient_id == patient.patient_id]
    found = {hit.passage.locator: hit for hit in own if hit.passage.document_id is None}
    for index, note in enumerate(patient.notes):
        hits = [h for place, h in found.items() if place and place.startswith(note.source.file)]
        quote = neutralise(hits[0].passage.statement) if hits else key_sentence(note)
        if not quote:
            continue
        title = neutralise(note.title, limit=80) or "clinical note"
        fields = {"title": word(title), "quote": word(quote)}
        if note.date:
            fields["date"] = word(note.date)
        dated = f" of {note.date}" if note.date else ""
        yield Draft(
            "note", f'The {title}{dated} states: "{quote}"', fields, located(note.source, date=note.date),
            rank=20 + (5 if hits else 0) - index * 0.1, label=title,
        )  # fmt: skip
    yield from draft_documents([hit.passage for hit in own if hit.passage.document_id is not None])


def draft_documents(passages: Sequence[Passage]) -> Iterator[Draft]:
    """One quotation of each document added for this patient: its passage found first."""
    first = {p.document_id: p for p in reversed(passages)}
    for index, passage in enumerate(first.values()):
        title, quote = neutralise(passage.source, limit=80), neutralise(passage.statement)
        fields = {"title": word(title), "quote": word(quote)}
        if passage.date:
            fields["date"] = word(passage.date)
        dated = f" of {passage.date}" if passage.date else ""
        source = EvidenceSource(
            file=passage.source, place=passage.locator or None, row_id=passage.passage_id, date=passage.date
        )
        text = f'The {title}{dated} states: "{quote}"'
        yield Draft("note", text, fields, source, rank=24 - index * 0.1, label=title)


def key_sentence(note: Note) -> str:
    """The sentence of a note with most clinical key words, neutralised; the first one on a tie."""
    sentences = [s for s in re.split(r"(?<=[.!?])\s+|\n+", note.text) if len(s.split()) >= 4]
    if not sentences:
        return neutralise(note.text)
    return neutralise(max(sentences, key=lambda s: len(_KEY_WORDS.findall(s))))
