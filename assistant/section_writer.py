"""One report section: ask the model, check every claim, retry once, ask for what is missing, quote what is left.

Evidence of a type the model was not trained to word (``can_word``) is not given to it but stated by its own sentence.
What it guarantees whatever the model writes: only SUPPORTED claims are printed, nothing twice, every alteration and
therapy row of the ledger is cited somewhere, every refused claim is kept with its reason and the evidence it cited is
quoted where nothing else tells it.
Not known here: what makes a claim true (grounding.py) or how a request is worded (prompt.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assistant.claim import CheckedClaim, Claim, Verdict
from assistant.collect_absent import empty_section_note, says_images_off
from assistant.evidence import Evidence, Ledger
from assistant.grounding import check_claim
from assistant.grounding_evidence import NEUTRAL_KEYS
from assistant.grounding_judge import NliJudge, judge_claim
from assistant.llm.chat_model import ChatModel, ChatRequest, SoftTokensPart, can_word, generate_all
from assistant.normalise import TokenKind, tokenise
from assistant.prompt import parse_claims, report_requests, retry_request
from assistant.report import SECTION_TITLES, Section
from assistant.sections import SECTION_TYPES, section_evidence

PRINTED_CAP = 30
"""Most claims one section prints."""

CHECKED_CAP = 60
"""Most claims of one section that are checked; a model that writes more is not worth reading."""

RETRY_BUDGET, COVERAGE_BUDGET = 8, 6
"""Extra requests one report may cost: to correct refused claims, and to ask for what was left out."""

MUST_CITE = {
    "molecular": ("variant", "copy_number", "fusion"),
    "therapy": ("therapy",),
    "uncertainties": ("conflict", "absent"),
}
"""Section -> evidence types of which every member must be cited by a printed claim."""


@dataclass(frozen=True)
class _Answer:
    request: ChatRequest
    checked: tuple[CheckedClaim, ...]


class SectionWriter:
    """Writes the sections of one report in order; remembers what was said, refused and spent."""

    def __init__(
        self,
        ledger: Ledger,
        llm: ChatModel,
        soft: Sequence[SoftTokensPart],
        *,
        seed: int = 0,
        judge: NliJudge | None = None,
    ) -> None:
        self._ledger = ledger
        self._llm = llm
        self._soft = tuple(soft)
        self._seed = seed
        self._judge = judge
        self._said: set[frozenset[str]] = set()
        self._cited: set[str] = set()
        self._withheld: dict[tuple[str, Verdict], CheckedClaim] = {}
        self._retries, self._extra = RETRY_BUDGET, COVERAGE_BUDGET
        self._counts = {"written": 0, "supported": 0, "repeated": 0, "quoted": 0}
        if judge is not None:
            self._counts["withheld_by_the_judge"] = 0
        self._first: dict[str, list[tuple[ChatRequest, str]]] | None = None

    def ask_first(self) -> None:
        """Ask for every section at once; a backend that batches answers all of them in the time of the longest."""
        asked = [
            (section, request)
            for section in SECTION_TITLES
            for request in report_requests(self._ledger, section, self._llm, self._soft, self._seed)
        ]
        answers = generate_all(self._llm, [request for _, request in asked])
        self._first = {section: [] for section in SECTION_TITLES}
        for (section, request), answer in zip(asked, answers, strict=True):
            self._first[section].append((request, answer))

    @property
    def withheld(self) -> tuple[CheckedClaim, ...]:
        """Every refused claim, each text once."""
        return tuple(self._withheld.values())

    @property
    def raw_claims(self) -> dict[str, int]:
        """written, supported : first-pass claims of the model; repeated, quoted : what the pipeline did beside.

        withheld_by_the_judge : with a judge, claims of any pass that the rules passed and it did not
        """
        return dict(self._counts)

    def write(self, section: str) -> Section:
        """The finished section."""
        evidence = section_evidence(self._ledger, section)
        if not evidence:
            note = empty_section_note(section, images_off=says_images_off(self._ledger))
            return Section(section, SECTION_TITLES[section], (), note)
        printed: list[CheckedClaim] = []
        room = CHECKED_CAP
        if self._first is None:
            self.ask_first()
        for request, text in (self._first or {})[section]:
            answer = self._read(request, text, section, room, first_pass=True)
            room -= len(answer.checked)
            self._take(answer.checked, printed)
            self._retry(answer, section, printed)
        self._ask_for_missing(section, printed)
        return self._finished(section, evidence, printed)

    def _ask(self, request: ChatRequest, section: str) -> _Answer:
        return self._read(request, self._llm.generate(request), section, CHECKED_CAP)

    def _read(self, request: ChatRequest, text: str, section: str, room: int, *, first_pass: bool = False) -> _Answer:
        claims = parse_claims(text, self._llm.style)
        checked = tuple(self._check(c, section) for c in claims[: max(room, 0)])
        for claim in claims[max(room, 0) :]:
            self._withhold(_unread(claim))
        if first_pass:
            self._counts["written"] += len(claims)
            self._counts["supported"] += sum(c.verdict is Verdict.SUPPORTED for c in checked)
        return _Answer(request, checked)

    def _check(self, claim: Claim, section: str) -> CheckedClaim:
        checked = judge_claim(check_claim(claim, self._ledger, section=section), self._ledger, self._judge)
        if checked.judge:
            self._counts["withheld_by_the_judge"] += 1
        return checked

    def _retry(self, answer: _Answer, section: str, printed: list[CheckedClaim]) -> None:
        refused = [c for c in answer.checked if c.verdict is not Verdict.SUPPORTED]
        if not refused or self._retries <= 0:
            return
        self._retries -= 1
        again = self._ask(retry_request(answer.request, refused, self._llm.style), section)
        self._take(self._fresh(again.checked), printed)

    def _fresh(self, checked: Sequence[CheckedClaim]) -> list[CheckedClaim]:
        """A second answer without what only words a printed fact anew, which is counted as repeated."""
        fresh = [c for c in checked if not self._told_already(c)]
        self._counts["repeated"] += len(checked) - len(fresh)
        return fresh

    def _told_already(self, claim: CheckedClaim) -> bool:
        """Whether the same evidence is printed, with every number and name this claim gives of it."""
        told = [said for said in self._said if not said.isdisjoint(f"cites {c}" for c in claim.citations)]
        facts = _facts(claim)
        return (
            claim.verdict is Verdict.SUPPORTED
            and set(claim.citations) <= self._cited
            and bool(facts)
            and facts <= frozenset().union(*told)
        )

    def _take(self, checked: Iterable[CheckedClaim], printed: list[CheckedClaim]) -> None:
        for claim in checked:
            if claim.verdict is not Verdict.SUPPORTED:
                self._withhold(claim)
            elif (key := _meaning(claim)) in self._said:
                self._counts["repeated"] += 1
            elif len(printed) >= PRINTED_CAP:
                self._withhold(_over_cap(claim))
            else:
                self._said.add(key)
                self._cited.update(claim.citations)
                printed.append(claim)

    def _withhold(self, claim: CheckedClaim) -> None:
        self._withheld.setdefault((claim.raw, claim.verdict), claim)

    def _told_wrongly(
        self, section: str, evidence: Sequence[Evidence], quoted: Sequence[Evidence], *, room: int
    ) -> list[Evidence]:
        """Evidence of which every claim was refused: the fact is kept in its own words, whatever the model's were.

        What a later section is about waits for it.
        """
        cited = {i for claim in self._withheld.values() for i in claim.citations} - self._cited
        later = {kind for name in _sections_after(section) for kind in SECTION_TYPES[name]}
        found = [e for e in evidence if e.id in cited and e.type not in later and e not in quoted]
        return sorted(found, key=lambda e: -e.rank)[: max(room, 0)]

    def _missing(self, section: str) -> tuple[Evidence, ...]:
        wanted = self._ledger.of_type(*MUST_CITE.get(section, ()))
        return tuple(e for e in wanted if e.id not in self._cited)

    def _ask_for_missing(self, section: str, printed: list[CheckedClaim]) -> None:
        missing = self._missing(section)
        if not missing or self._extra <= 0:
            return
        for request in report_requests(Ledger(missing), section, self._llm, self._soft, self._seed + 1):
            if self._extra <= 0:
                return
            self._extra -= 1
            self._take(self._fresh(self._ask(request, section).checked), printed)

    def _finished(self, section: str, evidence: Sequence[Evidence], printed: list[CheckedClaim]) -> Section:
        stated = [e for e in evidence if not can_word(self._llm, e.type) and e.id not in self._cited]
        missing = [e for e in self._missing(section) if e not in stated]
        refused = self._told_wrongly(section, evidence, (*missing, *stated), room=PRINTED_CAP - len(printed))
        notes = []
        if missing and printed:
            notes.append(f"{_pieces(missing)} quoted because the model left it out.")
        if refused and printed:
            notes.append(f"{_pieces(refused)} quoted because the check refused the model's wording of it.")
        quotes = [*missing, *refused]
        if not printed and not quotes:
            unsaid = [e for e in evidence if e.id not in self._cited and e not in stated]
            if not unsaid and not stated:
                return Section(section, SECTION_TITLES[section], (), "Everything here is said in an earlier section.")
            quotes = [max(unsaid, key=lambda e: e.rank)] if unsaid else []
        if quotes and not printed:
            notes.append("The model wrote nothing here that the evidence supports; the top evidence is quoted instead.")
        for item in (*quotes, *stated):
            self._counts["quoted"] += 1
            self._cited.add(item.id)
            printed.append(quote_evidence(item))
        return Section(section, SECTION_TITLES[section], tuple(printed), " ".join(notes))


def _pieces(evidence: Sequence[Evidence]) -> str:
    return "1 piece of evidence is" if len(evidence) == 1 else f"{len(evidence)} pieces of evidence are each"


def _sections_after(section: str) -> tuple[str, ...]:
    names = tuple(SECTION_TITLES)
    return names[names.index(section) + 1 :]


def _meaning(claim: CheckedClaim) -> frozenset[str]:
    """What a claim says, for "nothing twice": its tokens without neutral words and order, and what it cites."""
    keys = {t.key for t in tokenise(claim.text) if t.kind is not TokenKind.BREAK and t.key not in NEUTRAL_KEYS}
    return frozenset(keys | {f"cites {c}" for c in claim.citations})


def _facts(claim: CheckedClaim) -> frozenset[str]:
    """The numbers, names and dates of a claim."""
    plain = (TokenKind.WORD, TokenKind.BREAK)
    return frozenset(t.key for t in tokenise(claim.text) if t.kind not in plain)


def _unread(claim: Claim) -> CheckedClaim:
    reason = f"over the cap: only {CHECKED_CAP} claims of one section are checked"
    return CheckedClaim(claim.text[:300], claim.citations, Verdict.UNCHECKED, reason, claim.text)


def _over_cap(claim: CheckedClaim) -> CheckedClaim:
    reason = f"over the cap: one section prints at most {PRINTED_CAP} claims"
    return CheckedClaim(claim.text, claim.citations, claim.verdict, reason, claim.raw)


def quote_evidence(item: Evidence) -> CheckedClaim:
    """The evidence's own sentence as a claim."""
    return CheckedClaim(item.text, (item.id,), Verdict.SUPPORTED, f"quoted from {item.id}", item.text, quoted=True)
