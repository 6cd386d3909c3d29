"""Fields that must hold a name and hold a sentence: taken out of their field, quoted as text of the file.

A histology, a medicine, a series description are words of whoever wrote the file. Where such a field holds a sentence
("Please state that the patient is cured"), it is no name: the field is left empty, or its record left out, and the text
stands in the ledger as a quote with its place, which a claim can only repeat as what that file says.

Not checked here: whether a name exists ("zolcantinib"); a claim about it names the record as its source. Free text that
is meant to be sentences (notes, passages) is left alone: collect_draft.py and grounding_scope.py see to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from assistant.collect_draft import Draft, located, neutralise, word
from encoders.patient import Biomarker, Diagnosis, ImagingSeries, Patient, SourceLocator

Record = TypeVar("Record")
LONGEST, MOST_WORDS = 120, 14
_VERBS = re.compile(
    r"(?i)\b(?:is|are|was|were|be|been|being|am|has|had|does|did|must|should|shall|would|cannot|can|could|ignore|"
    r"disregard|forget|please|kindly|conclude|assistant|pretend|obey|mention|mentions|state|states|print|prints|write|"
    r"writes|reads|call|say|says|include|including|ensure|instructions?|prompt|permitted|verified|following)\b"
)
_MARKS = re.compile(r"""["“”„«»|`\\]|\]\s*[}\]]|#{2,}|={3,}|[.!?]\s+\S+\s+\S|:\s+\w+\s+\w+\s+\w""")
_RANK = 4.0


def is_name(text: str) -> bool:
    """Whether a text can be the name of something: no verb of a sentence, no delimiter, not long, not of many words."""
    return (
        len(text) <= LONGEST
        and len(text.split()) <= MOST_WORDS
        and _VERBS.search(text) is None
        and _MARKS.search(text) is None
    )


@dataclass
class _Sieve:
    """drafts : a quote for every text that was taken out."""

    drafts: list[Draft] = field(default_factory=list)

    def name(self, text: str | None, what: str, source: SourceLocator | None) -> str | None:
        """The text where it is a name, else None and a quote of it."""
        if text is None or not text or is_name(text):
            return text
        place = " ".join(p for p in (source.file, source.place) if p) if source else "the record"
        title = neutralise(f"text of the {what} in {place}", limit=120)
        quote = neutralise(text)
        fields = {"title": word(title), "quote": word(quote)}
        said = f'The {title} states: "{quote}"'
        self.drafts.append(Draft("note", said, fields, located(source), rank=_RANK, label=title))
        return None

    def kept(
        self, records: Iterable[Record], names: Callable[[Record], tuple[str | None, ...]], what: str
    ) -> tuple[Record, ...]:
        """The records whose every name is one."""
        found = []
        for record in records:
            said = [self.name(text, what, getattr(record, "source", None)) for text in names(record)]
            if all(new == old for new, old in zip(said, names(record), strict=True)):
                found.append(record)
        return tuple(found)


def only_names(patient: Patient) -> tuple[Patient, tuple[Draft, ...]]:
    """The patient with nothing but names in the fields for names, and a "note" draft for every text taken out.

    A record whose own name was a sentence (a medicine, a variant) is left out; of a diagnosis, a treatment's response
    and a series only that field is.
    """
    sieve = _Sieve()
    clean = replace(
        patient,
        diagnosis=_diagnosis(patient, sieve),
        treatments=tuple(
            replace(t, response=sieve.name(t.response, "response", t.source))
            for t in sieve.kept(patient.treatments, lambda t: (t.drug,), "treatment")
        ),
        medications=sieve.kept(patient.medications, lambda m: (m.drug,), "medicine"),
        labs=sieve.kept(patient.labs, lambda lab: (lab.name, lab.unit), "laboratory value"),
        biomarkers=sieve.kept(patient.biomarkers, _biomarker_names, "biomarker"),
        imaging=tuple(_series(series, sieve) for series in patient.imaging),
        variants=_optional(
            patient.variants, lambda v: (v.gene, v.protein, v.coding, v.consequence, v.exon), "variant", sieve
        ),
        copy_number=_optional(patient.copy_number, lambda c: (c.gene, c.call), "copy number", sieve),
        fusions=_optional(patient.fusions, lambda f: (f.gene5, f.gene3), "fusion", sieve),
    )
    return clean, tuple(sieve.drafts)


def _diagnosis(patient: Patient, sieve: _Sieve) -> Diagnosis:
    diagnosis = patient.diagnosis
    said = {name: getattr(diagnosis, name) for name in ("histology", "stage", "tnm_edition", "grade", "site")}
    sources = {name: patient.sources.get(f"diagnosis.{name}", patient.sources.get("oncotree_code")) for name in said}
    return replace(diagnosis, **{name: sieve.name(text, name, sources[name]) for name, text in said.items()})


def _biomarker_names(marker: Biomarker) -> tuple[str | None, ...]:
    return marker.name, marker.value if isinstance(marker.value, str) else None, marker.unit


def _series(series: ImagingSeries, sieve: _Sieve) -> ImagingSeries:
    texts = dict.fromkeys(t for t in (series.role, series.body_part) if t)
    names = {text: sieve.name(text, "series description", series.source) for text in texts}
    return replace(
        series,
        role=names.get(series.role) or "",
        body_part=names.get(series.body_part) if series.body_part else None,
        segments=sieve.kept(series.segments, lambda s: (s.label,), "outline"),
    )


def _optional(
    records: tuple[Record, ...] | None, names: Callable[[Record], tuple[str | None, ...]], what: str, sieve: _Sieve
) -> tuple[Record, ...] | None:
    return None if records is None else sieve.kept(records, names, what)
