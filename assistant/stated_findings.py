"""Which finding a claim states, read by the checker itself: the assignment under which the claim is supported.

For each appearance or expression finding a claim cites, both words are put into the ledger in turn; the word under
which the checker supports the claim is the one it states. A claim that is supported either way (it referred to the
ledger's word instead of reading the tokens) states nothing, and so does one supported in no way.

Not known here: which word is true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from assistant.claim import Claim, Verdict
from assistant.evidence import CITATION, Evidence, Field, Ledger
from assistant.grounding import check_claim
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES


def two_words(item: Evidence, oncotree_code: str) -> tuple[str, str]:
    """The closed pair of words an appearance or expression finding may be."""
    attribute = str(item.fields["attribute"].value).replace(" ", "_")
    return EXPRESSION_PROFILES[attribute] if attribute in EXPRESSION_PROFILES else APPEARANCE[attribute][oncotree_code]


def with_finding(item: Evidence, finding: str) -> Evidence:
    """The same evidence saying ``finding``."""
    current = str(item.fields["finding"].value)
    fields = {**item.fields, "finding": Field(finding, finding)}
    return replace(item, fields=fields, text=item.text.replace(current, finding))


def _replaced(ledger: Ledger, changed: Mapping[str, Evidence]) -> Ledger:
    return Ledger(tuple(changed.get(e.id, e) for e in ledger))


def stated_findings(
    claims: Sequence[Claim], ledger: Ledger, oncotree_code: str, *, kind: str = "appearance"
) -> dict[str, str]:
    """Evidence id -> the word the claims state for it; ids no claim takes a stand on are left out.

    Where two claims take opposite stands on one finding, the first counts.
    """
    perceived = {e.id: e for e in ledger.of_type(kind)}
    stated: dict[str, str] = {}
    for claim in claims:
        cited = dict.fromkeys((*claim.citations, *CITATION.findall(claim.text)))
        ids = [i for i in cited if i in perceived]
        words = [two_words(perceived[i], oncotree_code) for i in ids]
        fitting = []
        for assignment in product(*words) if ids else ():
            changed = {i: with_finding(perceived[i], w) for i, w in zip(ids, assignment, strict=True)}
            if check_claim(claim, _replaced(ledger, changed)).verdict is Verdict.SUPPORTED:
                fitting.append(assignment)
        for position, evidence_id in enumerate(ids):
            readings = {assignment[position] for assignment in fitting}
            if len(readings) == 1:
                stated.setdefault(evidence_id, readings.pop())
    return stated
