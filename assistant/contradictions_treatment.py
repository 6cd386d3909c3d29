"""Treatment: drugs a note says were given, never given, or given in another line, against the record's treatments.

What this module does not know: regimens by acronym (a record that lists one is not compared), surgery, radiotherapy,
doses. A medicine that is no cancer drug is compared only where the note says it is taken now and the record lists
medicines.
"""

# ruff: noqa: E501  a pattern reads better unwrapped
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.contradictions_scope import Case, Clause, Disagreement, is_older, placed, stated_on
from encoders.patient import Note, Patient, SourceLocator, Treatment

_GIVEN_BEFORE = re.compile(
    r"(?i)\b(?:receiv(?:ed|es|ing)|(?:treated|managed) with|treatment with|therapy with|given|started(?: on)?|began|begun|"
    r"(?:is|was|are|been|currently|remains?|remained|maintained|stays?|now|still) on|completed|finished|"
    r"progress\w*(?: \w+)? (?:on|after|under|following|through)|(?:responding|response|refractory|resistant) to|after|"
    r"following|since|s/p|status post|cycles? of|takes|taking|administered|under|switched to|had(?: any)?)\b"
    r"(?:\W+\w[\w-]*){0,6}?\W*$"
    r"|(?i:\b(?:therapy|treatments?)(?: to date| so far| given| history)?\s*:[^:]{0,40}$)"
)
_GIVEN_AFTER = re.compile(
    r"(?i)^\W*(?:(?:and|plus|with|/|\+)\W*\w+\W+)?(?:(?:was|were|is|has been|had been|being)\W+(?:being\W+)?"
    r"(?:given|started|begun|administered|stopped|discontinued|continued|tolerated|completed|paused)|"
    r"since\b|x\s?\d|failure|\d+(?:\.\d+)?\s?mg\b.{0,20}\b(?:since|until|ongoing)\b)"
)
_TAKEN_NOW = re.compile(r"(?i)\b(?:currently on|takes|is taking|remains on)\b(?:\W+\w[\w-]*){0,3}?\W*$")
_NAIVE = re.compile(
    r"(?i)\b(?:(?:treatment|therapy|systemic[- ]therapy)[- ]na[iï]ve|previously untreated|untreated (?:patient|disease|cancer|tumou?r)|"
    r"(?:no|without|not (?:had|received) any|never (?:had|received)(?: any)?) (?:prior |previous |earlier )?"
    r"(?:systemic |anti-?cancer |cancer |oncological )*(?:therapy|treatment|lines of (?:therapy|treatment)))\b(?!\s+(?:for|of|with)\b)"
)
_NO_CHEMOTHERAPY = re.compile(
    r"(?i)\b(?:chemotherapy|chemo)[- ]na[iï]ve\b|\b(?:no|without|not|never)\s+(?:\w+\s+){0,3}?chemotherapy\b(?! (?:for|with|since))"
)
_NOT_NAIVE = re.compile(r"(?i)\b(?:not|no longer|was|were)\s+(?:\w+\s+){0,2}$")
_LINES = {w: n for n, words in enumerate(("first 1st", "second 2nd", "third 3rd", "fourth 4th", "fifth 5th"), start=1)
          for w in words.split()}  # fmt: skip
_LINE = re.compile(rf"(?i)\b(?:({'|'.join(_LINES)})[- ]line|([1-5])L)\b")
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{3,}")
NAIVE_WORDS = "no cancer treatment so far"


def drugs_named(text: str) -> tuple[tuple[int, int, str, bool], ...]:
    """(start, end, generic name, is it a cancer drug) of each drug a text names, by generic name, brand or alias."""
    from retrieval.lexicon import canonical_drug, is_cancer_drug  # noqa: PLC0415  it reads its files on first use

    found = []
    for match in _WORD.finditer(text):
        word = match[0].removesuffix("-na")
        if generic := canonical_drug(word) or canonical_drug(word.partition("-")[0]):
            found.append((match.start(), match.end(), generic, is_cancer_drug(generic)))
    return tuple(found)


def _recorded(patient: Patient) -> dict[str, list[Treatment]] | None:
    """Generic name -> its treatments; None where a treatment names no drug that is known."""
    held: dict[str, list[Treatment]] = {}
    for treatment in patient.treatments:
        named = drugs_named(treatment.drug)
        if not named:
            return None
        for _, _, generic, _ in named:
            held.setdefault(generic, []).append(treatment)
    return held


def has_record(patient: Patient) -> bool:
    """Whether a clinical record was read at all, so that a treatment it does not list is an absence in it."""
    return bool(patient.treatments or patient.sources)


def find_treatment(case: Case, clause: Clause, note: Note) -> Iterator[Disagreement]:
    """Drugs given or denied, an untreated patient, and lines of treatment."""
    patient = case.patient
    if clause.doubtful or clause.planned or clause.other_person or not has_record(patient):
        return
    held = _recorded(patient)
    if held is None:
        return
    stated, named = stated_on(clause, note), drugs_named(clause.text)
    yield from _naive(patient, clause, stated)
    for start, end, drug, for_cancer in named:
        before, after = clause.text[:start], clause.text[end:]
        listed = drug in held or drug in _medicines(patient)
        given = _GIVEN_BEFORE.search(before) or _GIVEN_AFTER.search(after)
        if clause.denied or re.match(r"(?i)-?na[iï]ve", after):
            if _is_denied(before, after):
                yield from _denied(held.get(drug, []), drug, stated)
        elif for_cancer and given and not listed:
            yield _unrecorded(patient, drug)
        elif not for_cancer and patient.medications and _TAKEN_NOW.search(before) and not listed:
            yield _unlisted(patient, drug)
    yield from _line(held, clause, named)


def _medicines(patient: Patient) -> set[str]:
    return {generic for m in patient.medications for _, _, generic, _ in drugs_named(m.drug)}


def _is_denied(before: str, after: str) -> bool:
    if re.match(r"(?i)-?na[iï]ve", after):
        return True
    return bool(
        re.search(
            r"(?i)\b(?:never|not|n't)\s+(?:yet\s+)?(?:been\s+)?(?:had|received|given|treated with|started|exposed to)(?:\s+any|\s+yet)?\s+$",
            before,
        )
        or re.match(r"(?i)\s+(?:was|has been|had been)\s+(?:never|not)\s+(?:given|started|administered)", after)
    )


def _denied(treatments: Sequence[Treatment], drug: str, stated: str | None) -> Iterator[Disagreement]:
    given = [t for t in treatments if not is_older(stated, t.start)]
    if given:
        source = given[0].source
        yield Disagreement("treatment", "treatment", f"{drug} was not given", _lists(given, source), source)


def _naive(patient: Patient, clause: Clause, stated: str | None) -> Iterator[Disagreement]:
    treatments = patient.treatments
    match = _NAIVE.search(clause.text)
    if match is None and (chemotherapy := _NO_CHEMOTHERAPY.search(clause.text)):
        match, treatments = chemotherapy, tuple(t for t in patient.treatments if _is_chemotherapy(t))
    if match is None or _NOT_NAIVE.search(clause.text[: match.start()]):
        return
    given = [t for t in treatments if not is_older(stated, t.start)]
    if given:
        said = NAIVE_WORDS if treatments is patient.treatments else "no chemotherapy so far"
        yield Disagreement("treatment", "treatment", said, _lists(given, given[0].source), given[0].source)


def _is_chemotherapy(treatment: Treatment) -> bool:
    from retrieval.lexicon import drug_class  # noqa: PLC0415  the lexicon reads its files on first use

    return any(drug_class(generic) == "chemotherapy" for _, _, generic, _ in drugs_named(treatment.drug))


def _lists(treatments: Sequence[Treatment], source: SourceLocator) -> str:
    named = ", ".join(t.drug + (f" from {t.start}" if t.start else "") for t in treatments[:4])
    return f"{placed('the record', source)} lists {named}"


def _unrecorded(patient: Patient, drug: str) -> Disagreement:
    if patient.treatments:
        source = patient.treatments[0].source
        return Disagreement("treatment", "treatment", f"{drug} was given", _lists(patient.treatments, source), source)
    source = next(iter(patient.sources.values()), None)
    other = f"{placed('the record', SourceLocator(source.file) if source else None)} lists no cancer treatment"
    return Disagreement("treatment", "treatment", f"{drug} was given", other, source)


def _unlisted(patient: Patient, drug: str) -> Disagreement:
    source = patient.medications[0].source
    other = f"{placed('the record', source)} lists {', '.join(m.drug for m in patient.medications[:4])}"
    return Disagreement("treatment", "medicines", f"{drug} is taken", other, source)


def _line(
    held: dict[str, list[Treatment]], clause: Clause, named: Sequence[tuple[int, int, str, bool]]
) -> Iterator[Disagreement]:
    lines = {_LINES[m[1].lower()] if m[1] else int(m[2]) for m in _LINE.finditer(clause.text)}
    drugs = [d for *_, d, for_cancer in named if for_cancer]
    if clause.denied or len(lines) != 1 or len(set(drugs)) != 1:
        return
    said, recorded = lines.pop(), held.get(drugs[0], [])
    if recorded and all(t.line is not None and t.line != said for t in recorded):
        source = recorded[0].source
        other = f"{placed('the record', source)} lists it as line {recorded[0].line}"
        yield Disagreement("treatment_line", "the line of treatment", f"{drugs[0]} as line {said}", other, source)
