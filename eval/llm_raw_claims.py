"""What the model writes for a report, before the checker has withheld anything: the share that is supported.

First answers only, of every section; retries and quoted evidence are not counted. The note names what failed: evidence
type, rule, and one sentence as written. Cases carry no explanations, which take most of a case's time, unless the model
words them (``can_word``); evidence it does not word is quoted by the pipeline and never in its raw claims.

Not known here: which part of a claim is wrong beyond the checker's own reason.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.claim import CheckedClaim, Verdict
from assistant.grounding import check_claim
from assistant.llm.chat_model import ChatModel, can_word, generate_all
from assistant.pipeline import CaseContext, prepare_case
from assistant.prompt import parse_claims, report_requests
from assistant.report import SECTION_TITLES
from encoders.patient import Patient
from encoders.synthetic.cohort import sample_case
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson
from eval.smoke_reports import context_without_explanations

BAR = 0.98
_EXPLANATIONS = ("gene_attribution", "heatmap")


@dataclass(frozen=True)
class RawClaim:
    """A claim as written and checked. types : of the evidence it cites, "nothing" where it cites none."""

    section: str
    types: str
    checked: CheckedClaim

    @property
    def supported(self) -> bool:
        """Whether the checker would let it through."""
        return self.checked.verdict is Verdict.SUPPORTED


def raw_claims(context: CaseContext, llm: ChatModel, seed: int) -> Iterator[RawClaim]:
    """Every claim of the first answers to every section of one case."""
    ledger, embeddings = context.ledger, context.prediction.embeddings
    soft = llm.soft_tokens(embeddings) if embeddings is not None else ()
    for section in SECTION_TITLES:
        requests = report_requests(ledger, section, llm, soft, seed)
        for text in generate_all(llm, requests):
            for claim in parse_claims(text, llm.style):
                types = sorted({ledger[i].type for i in claim.citations if i in ledger})
                yield RawClaim(section, "+".join(types) or "nothing", check_claim(claim, ledger, section=section))


def raw_claim_rows(llm: ChatModel, *, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Supported raw claims over ``n`` held-out patients, and the worst evidence types."""
    start = time.monotonic()
    found: list[RawClaim] = []
    for index in range(n):
        found += raw_claims(_context(sample_case(index, seed).patient, llm), llm, seed)
        if progress and (index + 1) % 10 == 0:
            progress(f"raw claims: {index + 1}/{n} held-out patients, {len(found)} claims")
    good = sum(c.supported for c in found)
    note = f"{n} patients; {failures(found)}"
    seconds = time.monotonic() - start
    return (
        Row("raw_claims.supported", good / len(found), BAR, Better.HIGHER, len(found), seconds,
            wilson(good, len(found)), note),
    )  # fmt: skip


def _context(patient: Patient, llm: ChatModel) -> CaseContext:
    worded = any(can_word(llm, kind) for kind in _EXPLANATIONS)
    return prepare_case(patient) if worded else context_without_explanations(patient)


def failures(found: list[RawClaim]) -> str:
    """Failed claims by evidence type, commonest first, each with one sentence and why it was refused."""
    written = Counter(c.types for c in found)
    failed = Counter(c.types for c in found if not c.supported)
    shown = []
    for types, count in failed.most_common():
        first = next(c.checked for c in found if c.types == types and not c.supported)
        shown.append(f"{types} {count} of {written[types]}, as {first.text[:160]!r} ({first.reason[:120]})")
    return "; ".join(shown) if shown else "none failed"
