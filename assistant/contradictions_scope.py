"""A note cut into clauses, each with what kind of statement it is: denied, doubtful, planned, past, of another person.

The cues are those of NegEx and ConText, cut to what tumour-board notes write; doubt, plans and other people reach over
the whole sentence, denial and the past over one clause. A section heading ("Family history:", "Plan:") reaches to the
next heading or blank line.

What this module does not know: who "she" is, sarcasm, languages other than English. A clause with a cue is left alone
by those who read it, so a true contradiction may be missed rather than one invented.

References
----------
Chapman et al., J Biomed Inform 2001, 10.1006/jbin.2001.1029 (NegEx). Harkema et al., J Biomed Inform 2009,
10.1016/j.jbi.2009.05.002 (ConText: negation, temporality, experiencer).
"""

# ruff: noqa: E501  a pattern reads better unwrapped
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from encoders.patient import Note, Patient, SourceLocator
from encoders.prediction import PatientPrediction

_DENIED = re.compile(
    r"(?i)\b(?:no|not|denie[sd]|without|never|none|neither|nor|absence of|free of|negative for|excluded|ruled out|"
    r"unlikely|lacks?|cannot|has ?n't|is ?n't|was ?n't|did ?n't)\b"
)
_DENIED_AFTER = re.compile(
    r"(?i)excluded|ruled out|unlikely|\bnot (?:confirmed|found|seen|identified|present|detected)"
)
_DOUBTFUL = re.compile(
    r"(?i)\b(?:if|unless|whether|rule[- ]out|r/o|to exclude|excluded?\b.{0,20}\bnot|cannot be excluded|suspicious|suspected|suspicion|"
    r"possibl[ey]|probabl[ey]|likely|may|might|could|pending|await(?:ing|ed)?|quer(?:y|ied)|versus|vs|differential|"
    r"question of|concern for|in case of|request(?:ed)?|testing for|tested for|screen(?:ing|ed) for|to confirm|should she|should he)\b|\?"
)
_PLANNED = re.compile(
    r"(?i)\b(?:will|would|should|shall|to be|plan(?:ned|s|ning)?|consider(?:ed|ing|ation)?|discuss(?:ed|ion)?|eligible|"
    r"(?<!went on )to (?:start|begin|commence|follow|receive)|reserved|candidate|recommend(?:ed|ation|s)?|options?|offer(?:ed)?|declin(?:ed|es)|refus(?:ed|es)|intend(?:ed|s)?|"
    r"propos(?:ed|al|e)|schedul(?:ed|e)|upcoming|next (?:week|month|cycle|line)|allerg(?:y|ic|ies)|intoleran\w+|"
    r"contraindicat\w+|trial of|in the (?:event|future))\b"
)
_PAST = re.compile(
    r"(?i)\b(?:previous(?:ly)?|prior|earlier|before|formerly|history of|h/o|childhood|at that time|initial(?:ly)?|"
    r"original(?:ly)?|used to|ago|was on|in the past)\b"
)
_OTHER_PERSON = re.compile(
    r"(?i)\b(?:mother|father|sister|brother|aunt|uncle|family|partner|wife|husband|son|daughter|child(?:ren)?|"
    r"grand(?:mother|father|parent)s?|cousin|niece|nephew|parents?|relatives?|maternal|paternal|siblings?|married|"
    r"friend|neighbou?r|patients (?:with|who|whose)|in (?:this|the|that) (?:trial|study|cohort)|literature|guidelines?)\b"
)
_KIN_NEAR = 15
"""Characters after a phrase within which "daughter" makes it hers ("her 24 year old daughter")."""
_HEADING = re.compile(r"^[ \t#*-]*([A-Za-z][A-Za-z /-]{1,40}?)[ \t*]*:")
_HEADING_MEANS = (
    (re.compile(r"(?i)family|fhx|social"), "other_person"),
    (re.compile(r"(?i)past medical|past history|pmh|previous"), "past"),
    (re.compile(r"(?i)\bplan\b|recommendation|options|proposal|next steps|intent"), "planned"),
    (re.compile(r"(?i)differential|indication|clinical question|reason for"), "doubtful"),
)
_SENTENCE_END = re.compile(r"(?<=[.!?])[^\S\n]+(?=[A-Z0-9(\"'])|\n")
_CLAUSE_END = re.compile(
    r"(?i);|,?\s+\b(?:but|however|although|whereas|while|now)\b|\((?=\s*(?:previous|prior|was|formerly|earlier|from|compared|vs)\b)"
)
_WRAPPED = re.compile(r"(?<=[^\n]{50})(?<![.:;!?])\n(?=[ \t]*[a-z0-9(])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    rf"\b(?P<iso>(?:19|20)\d\d-\d\d(?:-\d\d)?)\b"
    rf"|\b(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+)?(?P<month>(?i:{'|'.join(_MONTHS)}))[a-z]*\.?,?\s+(?P<my>(?:19|20)\d\d)\b"
    r"|\b(?:in|of|from|since)\s+(?P<year>(?:19|20)\d\d)\b"
)


@dataclass(frozen=True)
class Clause:
    """One clause of a note.

    sentence : the whole sentence it stands in; line : 1-based line of the note; written_date : ISO date in the clause
        itself (the last day that a month or a year allows), or None
    denied, doubtful, planned, past, other_person : what kind of statement it is
    """

    text: str
    sentence: str
    line: int
    written_date: str | None = None
    denied: bool = False
    doubtful: bool = False
    planned: bool = False
    past: bool = False
    other_person: bool = False

    def denial_of(self, words: str) -> bool | None:
        """Whether the clause denies words of it; None where a denial stands that may or may not reach them.

        It reaches them when it stands before them between commas, or ends their part ("... was not found").
        """
        for part in re.split(r"[,:]\s", self.text):
            cue = _DENIED.search(part) if words in part else None
            if cue and (cue.start() < part.index(words) or _DENIED_AFTER.search(part)):
                return True
        place = max(self.text.find(words), 0)
        unclear = _DENIED.search(self.text[:place]) or _DENIED_AFTER.search(self.text[place:])
        return None if unclear else False

    def is_of_other_person(self, phrase: re.Match[str]) -> bool:
        """Whether a phrase of the clause is of another person: kin named before it in the clause, or just after."""
        if not _OTHER_PERSON.search(self.sentence):
            return self.other_person  # by its heading
        return bool(_OTHER_PERSON.search(self.text[: phrase.end() + _KIN_NEAR]))

    @property
    def is_stated(self) -> bool:
        """Said of this patient, now, without doubt; it may be denied."""
        return not (self.doubtful or self.other_person or self.past)


@dataclass(frozen=True)
class Case:
    """What a note is compared with."""

    patient: Patient
    prediction: PatientPrediction


@dataclass(frozen=True)
class Disagreement:
    """One clause against another source.

    what : disagreed on, in words; said : what the clause says; other : what the other source says, source named;
    other_source : where that stands, or None when no file is known; against : "record", "sequencing" or "images"
    """

    kind: str
    what: str
    said: str
    other: str
    other_source: SourceLocator | None = None
    against: str = "record"


def placed(name: str, source: SourceLocator | None) -> str:
    """ "the record (record.json, sex)"; the bare name when no place is known."""
    if source is None:
        return name
    return f"{name} ({source.file}, {source.place})" if source.place else f"{name} ({source.file})"


def clauses(text: str) -> Iterator[Clause]:
    """Every clause of a note, in order."""
    text = re.sub(r"[^\S\n]+", " ", text)  # keeps the lines; runs of blanks cost patterns quadratic time
    joined = _WRAPPED.sub(" ", text)
    heading: str | None = None
    for start, sentence in _sentences(joined):
        if not sentence.strip():
            heading = None
            continue
        match = _HEADING.match(sentence)
        if match and _at_line_start(joined, start):
            heading = next((kind for pattern, kind in _HEADING_MEANS if pattern.search(match[1])), None)
        for offset, clause in _pieces(sentence):
            line = text.count("\n", 0, start + offset) + 1
            yield _judged(clause, sentence, line, heading)


def _at_line_start(text: str, start: int) -> bool:
    return not text[text.rfind("\n", 0, start) + 1 : start].strip()


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        yield start, text[start : end.start()]
        start = end.end()
    yield start, text[start:]


def _pieces(sentence: str) -> Iterator[tuple[int, str]]:
    start = 0
    for end in _CLAUSE_END.finditer(sentence):
        if sentence[start : end.start()].strip():
            yield start, sentence[start : end.start()]
        start = end.start() if end[0] != ";" else end.end()
    if sentence[start:].strip():
        yield start, sentence[start:]


def _judged(clause: str, sentence: str, line: int, heading: str | None) -> Clause:
    return Clause(
        text=clause.strip(),
        sentence=sentence.strip(),
        line=line,
        written_date=written_date(clause),
        denied=bool(_DENIED.search(clause)),
        doubtful=heading == "doubtful" or bool(_DOUBTFUL.search(sentence)),
        planned=heading == "planned" or bool(_PLANNED.search(sentence)),
        past=heading == "past" or bool(_PAST.search(clause)),
        other_person=heading == "other_person" or bool(_OTHER_PERSON.search(sentence)),
    )


def written_date(text: str) -> str | None:
    """The last day the first date written in a text allows ("March 2023" -> "2023-03-31"); None without one."""
    match = _DATE.search(text)
    if match is None:
        return None
    if match["iso"]:
        return match["iso"] if len(match["iso"]) == len("2024-01-31") else f"{match['iso']}-31"
    if match["year"]:
        return f"{match['year']}-12-31"
    month = _MONTHS.index(match["month"].lower()) + 1
    return f"{match['my']}-{month:02d}-{int(match['day'] or 31):02d}"


def stated_on(clause: Clause, note: Note) -> str | None:
    """The date a clause speaks of: its own when it has one, else the note's; ISO, or None."""
    return clause.written_date or note.date


def is_older(said: str | None, fact: str | None) -> bool:
    """Whether a statement is known to be older than a fact; False when either date is unknown."""
    return bool(said and fact and said < fact)
