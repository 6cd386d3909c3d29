"""Does the LLM read the image? What it says of a lesion with the patient's own soft tokens, and with another's.

The text it gets is the same both times and holds no finding. Statements are judged against the synthetic truth, raw,
before the checker has withheld anything. The other patient has the same cancer, so that only the lesion differs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.claim import Claim
from assistant.evidence import Ledger
from assistant.llm.chat_model import ChatModel, SoftTokensPart
from assistant.prompt import parse_claims, report_requests
from encoders.synthetic.cohort import sample_case
from encoders.vocabulary import CANCERS
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson
from eval.smoke_reports import context_without_explanations
from eval.stated_findings import stated_findings

DONORS = 2
"""How many other patients' tokens each patient is tried with."""


@dataclass(frozen=True)
class Seen:
    """One patient, ready to be asked about: truth by attribute, its ledger, its own soft tokens."""

    oncotree_code: str
    truth: Mapping[str, str]
    ledger: Ledger
    soft: tuple[SoftTokensPart, ...]


def imaging_claims(ledger: Ledger, llm: ChatModel, soft: Sequence[SoftTokensPart], seed: int) -> tuple[Claim, ...]:
    """What the model writes for the imaging section, unchecked."""
    requests = report_requests(ledger, "imaging", llm, soft, seed)
    return tuple(claim for r in requests for claim in parse_claims(llm.generate(r), llm.style))


def judge(patient: Seen, claims: Sequence[Claim]) -> dict[str, bool]:
    """Attribute -> whether the stated word is the true one; attributes nothing was said about are left out."""
    stated = stated_findings(claims, patient.ledger, patient.oncotree_code)
    attribute = {i: str(patient.ledger[i].fields["attribute"].value) for i in stated}
    return {attribute[i]: word == patient.truth[attribute[i]] for i, word in stated.items()}


def soft_token_rows(llm: ChatModel, *, n: int, seed: int, progress: Progress = None) -> tuple[Row, ...]:
    """Rows: reports with every stated attribute right (own tokens); distance from the majority rate (another's)."""
    start = time.monotonic()
    patients = [_see(index, seed, llm) for index in range(n)]
    if progress:
        progress(f"soft tokens: {n} held-out patients encoded")
    own = [judge(p, imaging_claims(p.ledger, llm, p.soft, seed)) for p in patients]
    if progress:
        progress("soft tokens: own tokens done, now another patient's")
    swapped = [
        v for p, donor in _pairs(patients) for v in judge(p, imaging_claims(p.ledger, llm, donor.soft, seed)).values()
    ]
    due = sum(len(p.truth) for p in patients)
    said = sum(len(o) for o in own)
    whole = sum(all(o.values()) and len(o) == len(p.truth) for o, p in zip(own, patients, strict=True))
    right = sum(v for o in own for v in o.values())
    rate = sum(swapped) / len(swapped)
    majority = majority_rate(patients)
    seconds = (time.monotonic() - start) / 2
    return (
        Row(
            "soft_tokens.reports_all_right_own",
            whole / n,
            0.85,
            Better.HIGHER,
            n,
            seconds,
            wilson(whole, n),
            f"{right} of {said} statements right ({due} attributes); a report counts when all of its own are right",
        ),
        Row(
            "soft_tokens.distance_from_majority_swapped",
            abs(rate - majority),
            0.05,
            Better.LOWER,
            len(swapped),
            seconds,
            wilson(sum(swapped), len(swapped)),
            f"right with another patient's tokens {rate:.3f} (interval is of this), majority class {majority:.3f}",
        ),
    )


def _see(index: int, seed: int, llm: ChatModel) -> Seen:
    code = list(CANCERS)[index % len(CANCERS)]
    case = sample_case(index, seed, code)
    context = context_without_explanations(case.patient)
    soft = llm.soft_tokens(context.prediction.embeddings) if context.prediction.embeddings else ()
    return Seen(code, case.truth.appearance, context.ledger, soft)


def _pairs(patients: list[Seen]) -> list[tuple[Seen, Seen]]:
    """Each patient with the next DONORS patients of the same cancer, in a ring."""
    pairs = []
    for code in CANCERS:
        ring = [p for p in patients if p.oncotree_code == code]
        shifts = range(1, min(DONORS, len(ring) - 1) + 1)
        pairs += [(p, ring[(i + shift) % len(ring)]) for i, p in enumerate(ring) for shift in shifts]
    return pairs


def majority_rate(patients: Sequence[Seen]) -> float:
    """Share right by always saying the commoner class of each attribute, over the patients' attributes.

    Words differ between cancers (spiculated, infiltrative) but stand for the same class; classes are counted over all.
    """
    from encoders.vocabulary import APPEARANCE  # noqa: PLC0415

    classes: dict[str, Counter[int]] = {}
    for p in patients:
        for attribute, word in p.truth.items():
            classes.setdefault(attribute, Counter())[APPEARANCE[attribute][p.oncotree_code].index(word)] += 1
    return sum(max(c.values()) for c in classes.values()) / sum(sum(c.values()) for c in classes.values())
