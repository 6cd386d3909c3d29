"""Pairs drawn from cases: embeddings -> text of findings (align), ledger -> claims under the schema (instruct).

Messages of instruct pairs are built by assistant/prompt.py, the same code that asks an LLM for a report or an answer,
so training and asking cannot drift. Claims are those of the embedded decoder's pairs (assistant/lm_pairs.py), written
as the JSON object of ``claims_schema``; evidence without phrasings is stated by its own sentence.

In half of the instruct pairs the soft tokens and the findings are a *donor's* of the same cancer, so that no other
line of the ledger can tell them.

Not known here: any LLM, or how pairs are stored (pairs.py).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.adapter_training.pairs import TrainingPair, is_held_out, write_pairs
from assistant.evidence import Evidence, Ledger
from assistant.llm.chat_model import ChatRequest, PromptStyle, SoftTokensPart, TextPart
from assistant.lm_cases import PERCEIVED_FROM, WORDED_TYPES, LMCase, line_of
from assistant.lm_pairs import MAX_ANSWERED, WORDED_TOPICS, answer, answers
from assistant.lm_phrases import FINDING_PHRASES, capital
from assistant.lm_questions import OTHER, PREFIXES, SUFFIXES, TOPICS, UNKNOWNS
from assistant.prompt import chat_request, parse_claims, report_requests
from assistant.sections import SECTION_TYPES, section_evidence
from encoders.errors import ContractError

ALIGN_SHARE = 0.4
SECTION_SHARE = 0.6
DONOR_SHARE = 0.5
UNANSWERABLE_SHARE = 0.15
EVIDENCE_LIMIT = 12
"""Evidence of one pair at most: a prompt of about 1,500 tokens."""

_ASKED = ("Say what they show.", "Describe the findings.", "What do these tokens show?", "Name each finding.")
_NO_VECTORS = np.zeros((1, 1), np.float32)  # a place in a message; the embeddings are named beside it


@dataclass(frozen=True)
class _InstructStyle:
    """As much of a ChatModel as the building of a prompt asks for."""

    spec: str = "pairs"
    style: PromptStyle = PromptStyle.INSTRUCT
    takes_soft_tokens: bool = True


def draw_pairs(cases: Sequence[LMCase], n: int, *, seed: int) -> tuple[list[TrainingPair], dict[str, NDArray]]:
    """``n`` pairs, and the embeddings they name; the same ones for the same seed.

    Raises
    ------
    ContractError: no case has embeddings, or cases come from several encoders or hold no evidence.
    """
    encoder_of(cases)
    drawer = _Drawer(cases, seed)
    pairs = [drawer.draw(i) for i in range(n)]
    used = {key for pair in pairs for key in pair.embeddings.values()}
    return pairs, {key: drawer.rows[key] for key in sorted(used)}


def encoder_of(cases: Sequence[LMCase]) -> str:
    """Hash of the one encoder that the cases' embeddings come from."""
    hashes = {c.encoder_hash for c in cases if c.embeddings}
    if len(hashes) != 1:
        raise ContractError(f"the cases come from {len(hashes)} encoders, the rule is one; sample them again.")
    return hashes.pop()


def write_synthetic_pairs(
    out: Path, cases: Sequence[LMCase], n: int, seed: int, card: Mapping[str, Any]
) -> dict[str, Any]:
    """Draw ``n`` pairs and write their folder; returns its card."""
    pairs, rows = draw_pairs(cases, n, seed=seed)
    return write_pairs(out, pairs, rows, encoder_of(cases), {"seed": seed, "cases": len(cases), **card})


class _Drawer:
    def __init__(self, cases: Sequence[LMCase], seed: int) -> None:
        self.names = {id(case): f"c{i:05d}" for i, case in enumerate(cases)}
        self.seen = [c for c in cases if c.embeddings]
        self.told = [c for c in cases if c.evidence]
        if not self.told:
            raise ContractError("the cases hold no evidence; load them with keep_evidence=True.")
        self.rows = {self._key(c, m): np.asarray(v, np.float32) for c in self.seen for m, v in c.embeddings.items()}
        self.rng = random.Random(seed)

    def _key(self, case: LMCase, modality: str) -> str:
        return f"{modality}/{self.names[id(case)]}"

    def draw(self, number: int) -> TrainingPair:
        """One pair of either stage."""
        pair_id = f"p{number:06d}"
        return self._align(pair_id) if self.rng.random() < ALIGN_SHARE else self._instruct(pair_id)

    # ---- align ----

    def _align(self, pair_id: str) -> TrainingPair:
        rng = self.rng
        case = rng.choice(self.seen)
        modality = rng.choice(sorted(case.embeddings))
        found = {k: w.replace("_", " ") for k, w in case.findings[modality].items()}
        wanted = rng.sample(sorted(found), rng.randint(1, len(found)))
        asked = rng.choice(_ASKED)
        if len(wanted) < len(found) or rng.random() < 0.3:
            asked = f"Say what they show of: {', '.join(a.replace('_', ' ') for a in wanted)}."
        clauses = [rng.choice(FINDING_PHRASES[a]).replace("<finding>", found[a]) for a in wanted]
        parts = (("text", f"The next tokens are the patient's {modality}."), ("soft", modality), ("text", asked))
        return TrainingPair(
            pair_id,
            self.names[id(case)],
            "align",
            (("user", parts),),
            " ".join(f"{capital(c)}." for c in clauses),
            {modality: self._key(case, modality)},
            tuple(dict.fromkeys(found[a] for a in wanted)),
            {modality: dict(case.findings[modality])},
        )

    # ---- instruct ----

    def _instruct(self, pair_id: str) -> TrainingPair:
        case = self.rng.choice(self.told)
        donors = {m: self._donor(case, m) for m in case.embeddings}
        ledger = Ledger(tuple(_as_seen(case.evidence, donors)))
        soft = tuple(SoftTokensPart(_NO_VECTORS, m) for m in sorted(donors))
        made = self._section(ledger, soft) if self.rng.random() < SECTION_SHARE else None
        request, told = made or self._question(ledger, soft)
        messages = tuple((m.role, tuple(_part(p) for p in m.parts)) for m in request.messages)
        used = [v for _, parts in messages for kind, v in parts if kind == "soft"]
        words = {
            str(e.fields["finding"].value).replace("_", " ")
            for e in told
            if e.perceived_from in used and "finding" in e.fields
        }
        text = self._claims(told)
        return TrainingPair(
            pair_id,
            self.names[id(case)],
            "instruct",
            messages,
            text,
            {m: self._key(donors[m], m) for m in used},
            tuple(sorted(w for w in words if w.lower() in text.lower())),
            {m: dict(donors[m].findings[m]) for m in used},
        )

    def _donor(self, case: LMCase, modality: str) -> LMCase:
        """The case itself, or another of its cancer on the same side of the held-out line."""
        if self.rng.random() >= DONOR_SHARE:
            return case
        side = is_held_out(self.names[id(case)])
        return self.rng.choice(
            [
                c
                for c in self.seen
                if modality in c.embeddings and c.oncotree == case.oncotree and is_held_out(self.names[id(c)]) == side
            ]
        )

    def _section(
        self, ledger: Ledger, soft: tuple[SoftTokensPart, ...]
    ) -> tuple[ChatRequest, tuple[Evidence, ...]] | None:
        section = self.rng.choice(tuple(SECTION_TYPES))
        evidence = section_evidence(ledger, section)
        if not evidence:
            return None
        first = self.rng.randrange(max(1, len(evidence) - EVIDENCE_LIMIT + 1))
        part = Ledger(evidence[first : first + EVIDENCE_LIMIT])
        request = report_requests(part, section, _InstructStyle(), soft)[0]  # type: ignore[arg-type]
        kept = set(request.allowed_ids)
        return request, tuple(e for e in section_evidence(part, section) if e.id in kept)

    def _question(self, ledger: Ledger, soft: tuple[SoftTokensPart, ...]) -> tuple[ChatRequest, tuple[Evidence, ...]]:
        rng = self.rng
        topic = TOPICS[rng.choice(WORDED_TOPICS)]
        relevant = [e for e in ledger if e.type in WORDED_TYPES and answers(line_of(e), topic)][:MAX_ANSWERED]
        asked = rng.choice(topic.questions)
        if not relevant or rng.random() < UNANSWERABLE_SHARE:
            relevant = []
            asked = asked if rng.random() < 0.5 else rng.choice(rng.choice(UNKNOWNS).questions)
        others = [e for e in ledger if e.type not in topic.types]
        mixed = [*relevant, *rng.sample(others, min(len(others), rng.randint(1, EVIDENCE_LIMIT - len(relevant))))]
        rng.shuffle(mixed)
        question = f"{rng.choice(PREFIXES)}{asked}{rng.choice(SUFFIXES)}"
        request = chat_request(question, mixed, _InstructStyle(), soft, topic=OTHER)  # type: ignore[arg-type]
        return request, tuple(e for e in mixed if e in relevant)

    def _claims(self, told: Sequence[Evidence]) -> str:
        """The JSON object an LLM should answer with: one claim each, or a few findings together."""
        claims: list[dict[str, Any]] = []
        for worded, run in _runs(told):
            if worded:
                lines = [line_of(e) for e in run]
                found = parse_claims(answer(lines, self.rng), PromptStyle.COMPACT)
                claims += [{"text": c.text, "citations": list(c.citations)} for c in found]
            else:
                claims += [{"text": e.text, "citations": [e.id]} for e in run]
        return json.dumps({"claims": claims}, ensure_ascii=False)


def _runs(evidence: Sequence[Evidence]) -> Iterator[tuple[bool, list[Evidence]]]:
    """Neighbours with phrasings together, those without together."""
    run: list[Evidence] = []
    for item in evidence:
        if run and (item.type in WORDED_TYPES) != (run[0].type in WORDED_TYPES):
            yield run[0].type in WORDED_TYPES, run
            run = []
        run.append(item)
    if run:
        yield run[0].type in WORDED_TYPES, run


def _part(part: TextPart | SoftTokensPart) -> tuple[str, str]:
    return ("text", part.text) if isinstance(part, TextPart) else ("soft", part.modality)


def _as_seen(evidence: Sequence[Evidence], donors: Mapping[str, LMCase]) -> Iterator[Evidence]:
    """The evidence with what is perceived replaced by the donor's; what the donor was not read for goes."""
    for item in evidence:
        donor = donors.get(PERCEIVED_FROM.get(item.type, ""))
        if donor is None:
            yield item
            continue
        of_donor = {e.fields["attribute"].value: e for e in donor.evidence if e.type == item.type}
        other = of_donor.get(item.fields["attribute"].value)
        if other is not None:
            yield replace(other, id=item.id, rank=item.rank)
