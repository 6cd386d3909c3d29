"""A claim that rests on a what-if must say so in every clause; one that states it as a fact is stopped.

This rule comes after the check (assistant/grounding.py), which compares values and does not know what is supposed.
NOT checked: tense beyond the listed words.
"""

from __future__ import annotations

import re
from dataclasses import replace

from assistant.claim import CheckedClaim, Verdict
from assistant.evidence import Ledger

_SUPPOSED = re.compile(r"(?i)\b(?:would|hypothetical(?:ly)?|if)\b")
_STATED = re.compile(r"(?i)\b(?:is|are|has|have|was|will|shall|must|should|can)\b")
_CLAUSE = re.compile(r"[;.]\s+|, (?:and|but|so|while|whereas)\s")


def hold_hypothetical(claim: CheckedClaim, ledger: Ledger) -> CheckedClaim:
    """The claim as it is, or UNSUPPORTED where it cites hypothetical evidence and a clause states it as a fact."""
    cited = [ledger[c] for c in claim.citations if c in ledger]
    supposed = [e.id for e in cited if e.hypothetical]
    if claim.verdict is not Verdict.SUPPORTED or claim.quoted or not supposed:
        return claim
    clauses = [c for c in _CLAUSE.split(claim.text) if c.strip(" .")]
    if all(_SUPPOSED.search(c) and not _STATED.search(_if_clause_free(c)) for c in clauses):
        return claim
    reason = f"states {', '.join(supposed)} as a fact, which is hypothetical; say what would be"
    return replace(claim, verdict=Verdict.UNSUPPORTED, reason=reason)


def _if_clause_free(clause: str) -> str:
    """A clause without its "if ..." part, whose verb is part of what is supposed."""
    return re.sub(r"(?i)\bif\b[^,:]*[,:]?", " ", clause)
