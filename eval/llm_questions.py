"""Questions in a clinician's own words about held-out patients, asked of the whole chat: right, refused or neither.

``llm_questions.tsv`` holds three rounds, each written by hand with the patients' ledgers open and frozen before it was
first asked: ``first``, 200 answerable and 60 unanswerable; ``second``, 60 and 29, written after what the first taught;
and ``third``, 100 and 45, mostly of patients no earlier round had, written without reading the code or the prompts
that route a question. First tries, with the decoder of 7,000 steps: first round 107 of 200 right and 53 of 60 refused
(a judge that did not yet take "is an option" for "offered" cost two of them); second round 49 of 60 and 25 of 29.
Routing then learnt from both and became a classifier; the third round's first try, with it: 64 of 100 and 39 of 45.
A few wordings of the third round have been mended since.
One real line: ``first  0  finding  Give me the tumour's volume in millilitres  lesion:volume``

An answer is right when one printed sentence, supported by the check, cites an evidence that answers and says every
value asked for. True sentences on another matter make no answer right, and do not make a right one wrong. An
unanswerable question is refused when no sentence is printed.

Not checked: whether the evidence itself is true (the patients are synthetic; eval/smoke_soft_tokens.py has the truth).
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.chat import answer
from assistant.chat_events import ChatEvent
from assistant.claim import Verdict
from assistant.evidence import EVIDENCE_FIELDS, Evidence
from assistant.llm.chat_model import ChatModel
from assistant.lm_earlier_study import earlier_series
from assistant.pipeline import CaseContext, prepare_case
from encoders.errors import ContractError
from encoders.patient import Patient
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson

QUESTIONS_FILE = Path(__file__).with_name("llm_questions.tsv")
FIRST, SECOND, THIRD = "first", "second", "third"
RIGHT_BAR, REFUSED_BAR = 0.90, 0.95
QUESTIONS_SEED = 90_000
"""Seed of the patients the questions were written about; another seed has other patients, and no questions."""

PRIOR_CASES = 4
"""The first so many patients have an earlier study, which the synthetic cohort itself lacks."""
_AN_OPTION = re.compile(
    r"(?i)\b(?:(?:is|are) an option|option:|is supported by|consider|considered|on offer|supports)\b|\boption:"
)
_HYPOTHETICAL = "hypothetical_"
_WANTED = re.compile(r"^(?P<type>[a-z0-9_]+)(?:\[(?P<where>[^]]+)\])?(?::(?P<fields>[a-z0-9_+]+))?$")


@dataclass(frozen=True)
class Wanted:
    """One way to be right. where : field -> words its value must hold; fields : whose values must be said."""

    type: str
    where: Mapping[str, str]
    fields: tuple[str, ...]

    def fits(self, item: Evidence) -> bool:
        """Whether an evidence answers and has every value asked for."""
        named = all(k in item.fields and _says(item.fields[k].display, v) for k, v in self.where.items())
        return item.type == self.type and named and all(f in item.fields for f in self.fields)


@dataclass(frozen=True)
class HeldOutQuestion:
    """case : index of the patient; kind : of question; wanted : ways to be right, () for an unanswerable one."""

    round: str
    case: int
    kind: str
    question: str
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True)
class Asked:
    """A question with what was printed for it. ok : right, or refused where nothing could be right."""

    question: HeldOutQuestion
    ok: bool
    topic: str
    printed: tuple[str, ...]


def load_held_out_questions(path: Path = QUESTIONS_FILE) -> tuple[HeldOutQuestion, ...]:
    """Every question, in file order.

    Raises
    ------
    ContractError: a line that is no question, an unknown evidence type or field, a question that stands twice.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = tuple(_question(line) for line in lines)
    twice = [q for q, n in Counter((q.case, q.question) for q in found).items() if n > 1]
    if twice:
        raise ContractError(f"{path.name}: {twice} stand twice; a question counts once.")
    return found


def _question(line: str) -> HeldOutQuestion:
    cells = line.split("\t")
    if len(cells) != 5 or cells[0] not in (FIRST, SECOND, THIRD) or not cells[1].isdigit():
        raise ContractError(f"{line!r}: a line is round, case, type, question and what is wanted, parted by tabs.")
    wanted = () if cells[4] == "-" else tuple(_wanted(part.strip()) for part in cells[4].split("|"))
    return HeldOutQuestion(cells[0], int(cells[1]), cells[2], cells[3], wanted)


def _wanted(text: str) -> Wanted:
    found = _WANTED.match(text)
    if found is None or found["type"] not in EVIDENCE_FIELDS:
        raise ContractError(f"{text!r} is no type[field=words]:field+field; types: {', '.join(EVIDENCE_FIELDS)}.")
    where = dict(pair.split("=", 1) for pair in (found["where"] or "").split(",") if pair)
    fields = tuple(f for f in (found["fields"] or "").split("+") if f)
    unknown = {*where, *fields} - set(EVIDENCE_FIELDS[found["type"]][1])
    if unknown:
        raise ContractError(f"{text!r}: {found['type']} has no field {sorted(unknown)}.")
    return Wanted(found["type"], where, fields)


def question_case(index: int, seed: int = QUESTIONS_SEED) -> CaseContext:
    """The patient a question is about, the first few with an earlier study."""
    patient = sample_case(index, seed).patient
    return prepare_case(with_prior(patient, grown=index % 2 == 0) if index < PRIOR_CASES else patient)


def with_prior(patient: Patient, *, grown: bool) -> Patient:
    """The patient with an earlier copy of the first outlined series, its outline smaller (``grown``) or larger."""
    now = next(s for s in patient.imaging if s.segments)
    return replace(patient, imaging=(*patient.imaging, earlier_series(now, grown_by=2 if grown else -2)))


def judge_answer(question: HeldOutQuestion, events: Iterable[ChatEvent], evidence: Iterable[Evidence]) -> Asked:
    """Whether what was printed is right, or refused. ``evidence`` : the case's own; what a tool adds is in events."""
    told = list(events)
    held = {e.id: e for e in evidence} | {e.evidence.id: e.evidence for e in told if e.evidence is not None}
    printed = [e for e in told if e.kind == "claim" and e.verdict is Verdict.SUPPORTED]
    ok = any(_right(e, question.wanted, held) for e in printed) if question.wanted else not printed
    topic = next((e.text for e in told if e.text.startswith("question about ")), "").removeprefix("question about ")
    return Asked(question, ok, topic, tuple(e.text for e in printed))


def _right(claim: ChatEvent, wanted: Sequence[Wanted], held: Mapping[str, Evidence]) -> bool:
    cited = [held[i] for i in claim.citations if i in held]
    return any(
        w.fits(item) and all(_tells(claim.text, f, item.fields[f].display) for f in w.fields)
        for item in cited
        for w in wanted
    )


def _tells(text: str, field: str, value: str) -> bool:
    """Whether a text says a field's value; a supported sentence that calls a drug an option says that it is offered."""
    if (field, value) == ("status", "offered") and _AN_OPTION.search(text):
        return True
    return _says(text, value)


def _says(text: str, value: str) -> bool:
    """Whether a text holds a value as whole words: "5 mm" does not stand in "15 mm"."""
    return re.search(rf"(?<![\w.]){re.escape(value.lower())}(?![\w%]|\.\d)", text.lower()) is not None


def unheld(question: HeldOutQuestion, evidence: Sequence[Evidence]) -> bool:
    """Whether nothing of a case can make its question right: a fault of the question. A what-if adds its own."""
    own = [w for w in question.wanted if not w.type.startswith(_HYPOTHETICAL)]
    return bool(own) and not any(w.fits(e) for w in own for e in evidence)


def ask_round(llm: ChatModel, name: str, progress: Progress = None) -> Iterator[Asked]:
    """Every question of a round, asked of its patient.

    Raises
    ------
    ContractError: a question that its case's ledger cannot answer although the table says it can.
    """
    asked = [q for q in load_held_out_questions() if q.round == name]
    for case in sorted({q.case for q in asked}):
        context = question_case(case)
        evidence = tuple(context.ledger)
        for question in (q for q in asked if q.case == case):
            if unheld(question, evidence):
                raise ContractError(f"case {case} holds nothing for {question.question!r}: {question.wanted}.")
            yield judge_answer(question, answer(question.question, context, llm), evidence)
        if progress:
            progress(f"questions: patient {case} asked")


def question_rows(llm: ChatModel, *, progress: Progress = None) -> tuple[Row, ...]:
    """Answered rightly and refused, of the third round, then of the second and first, which the routing has seen."""
    rows: list[Row] = []
    stems = {THIRD: "questions", SECOND: "questions.second_round", FIRST: "questions.first_round"}
    for name, stem in stems.items():
        start = time.monotonic()
        asked = list(ask_round(llm, name, progress))
        can = [a for a in asked if a.question.wanted]
        cannot = [a for a in asked if not a.question.wanted]
        seconds = (time.monotonic() - start) / 2
        rows.append(_row(f"{stem}.right", can, RIGHT_BAR, seconds))
        rows.append(_row(f"{stem}.unanswerable_refused", cannot, REFUSED_BAR, seconds))
    return tuple(rows)


def _row(row_id: str, asked: Sequence[Asked], bar: float, seconds: float) -> Row:
    good = sum(a.ok for a in asked)
    by_kind = Counter(a.question.kind for a in asked if not a.ok)
    missed = "; ".join(a.question.question for a in asked if not a.ok)[:600]
    note = f"missed: {dict(by_kind)}: {missed}" if by_kind else ""
    return Row(row_id, good / len(asked), bar, Better.HIGHER, len(asked), seconds, wilson(good, len(asked)), note)
