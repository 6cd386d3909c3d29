"""Does the LLM read the image? What it says of a lesion with the patient's own soft tokens, and with another's.

The text it gets is the same both times and holds no finding. Statements are judged against the synthetic truth, raw,
before the checker has withheld anything. The other patients have the same cancer, so that only the lesion differs, and
are drawn apart from the asked ones: a ring among the asked would meet the own class less often than chance does.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.claim import Claim
from assistant.evidence import Ledger
from assistant.figures import REFERENCE_COHORT
from assistant.llm.chat_model import ChatModel, SoftTokensPart
from assistant.prompt import parse_claims, report_requests
from assistant.stated_findings import stated_findings
from encoders.predict import predict
from encoders.synthetic.cohort import sample_case
from encoders.vocabulary import APPEARANCE, CANCERS
from eval.benchmark import Better, Progress, Row
from eval.intervals import wilson
from eval.smoke_reports import context_without_explanations

DONORS = 2
"""How many other patients' tokens each patient is tried with."""
DONOR_OFFSET = 30_000
"""Added to a patient's index to get the donors': beyond any cohort here, below the cohort writer's limit of 100,000."""


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
    """Rows: reports with every attribute right, attributes right (own tokens); distance from the majority rate."""
    start = time.monotonic()
    patients = [_see(index, seed, llm) for index in range(n)]
    if progress:
        progress(f"soft tokens: {n} held-out patients encoded")
    own = [judge(p, imaging_claims(p.ledger, llm, p.soft, seed)) for p in patients]
    if progress:
        progress("soft tokens: own tokens done, now another patient's")
    swapped = [
        v
        for index, p in enumerate(patients)
        for soft in _donors(index, seed, p.oncotree_code, llm)
        for v in judge(p, imaging_claims(p.ledger, llm, soft, seed)).values()
    ]
    due = sum(len(p.truth) for p in patients)
    said = sum(len(o) for o in own)
    whole = sum(all(o.values()) and len(o) == len(p.truth) for o, p in zip(own, patients, strict=True))
    right = sum(v for o in own for v in o.values())
    rate = sum(swapped) / len(swapped)
    majority = majority_rate(patients, commoner_classes(reference_findings()))
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
            "soft_tokens.attributes_right_own",
            right / due,
            0.90,
            Better.HIGHER,
            due,
            seconds,
            wilson(right, due),
            f"{due - said} of {due} attributes are not told at all, which counts as not right",
        ),
        Row(
            "soft_tokens.distance_from_majority_swapped",
            abs(rate - majority),
            0.05,
            Better.LOWER,
            len(swapped),
            seconds,
            wilson(sum(swapped), len(swapped)),
            f"right with another patient's tokens {rate:.3f} (interval is of this), always saying the class "
            f"commoner in the reference cohort {majority:.3f}",
        ),
    )


def _see(index: int, seed: int, llm: ChatModel) -> Seen:
    code = list(CANCERS)[index % len(CANCERS)]
    case = sample_case(index, seed, code)
    context = context_without_explanations(case.patient)
    soft = llm.soft_tokens(context.prediction.embeddings) if context.prediction.embeddings else ()
    return Seen(code, case.truth.appearance, context.ledger, soft)


def _donors(index: int, seed: int, code: str, llm: ChatModel) -> list[tuple[SoftTokensPart, ...]]:
    """Soft tokens of DONORS further patients of the same cancer."""
    found = []
    for k in range(1, DONORS + 1):
        patient = sample_case(index + k * DONOR_OFFSET, seed, code).patient
        embeddings = predict(patient, explain=False).embeddings
        found.append(llm.soft_tokens(embeddings) if embeddings is not None else ())
    return found


def reference_findings() -> list[tuple[str, Mapping[str, str]]]:
    """(OncoTree code, features) of every patient of the shipped reference cohort."""
    rows = json.loads(REFERENCE_COHORT.read_text(encoding="utf-8"))
    return [(row["oncotree_code"], row["features"]) for row in rows]


def commoner_classes(known: Iterable[tuple[str, Mapping[str, str]]]) -> dict[str, int]:
    """Attribute -> its commoner class (0 or 1), counted over all cancers.

    Words differ between cancers (spiculated, infiltrative) but stand for the same class.
    """
    classes: dict[str, Counter[int]] = {}
    for code, words in known:
        for attribute, by_code in APPEARANCE.items():
            if attribute in words:
                classes.setdefault(attribute, Counter())[by_code[code].index(words[attribute])] += 1
    return {attribute: count.most_common(1)[0][0] for attribute, count in classes.items()}


def majority_rate(patients: Sequence[Seen], commoner: Mapping[str, int]) -> float:
    """Share of the patients' attributes that always saying the ``commoner`` class gets right.

    The classes come from other patients than the asked ones, as for any baseline: picking them on the asked patients
    would overstate it.
    """
    hits = [
        APPEARANCE[attribute][p.oncotree_code].index(word) == commoner[attribute]
        for p in patients
        for attribute, word in p.truth.items()
    ]
    return sum(hits) / len(hits)
