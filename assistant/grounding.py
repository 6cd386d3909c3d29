"""Grounding: one claim against the ledger -> a verdict with its reason, whatever model wrote the claim.

A claim stands only when (1) it cites ids that exist and its references resolve inside them, (2) every drug, gene,
variant, stage, number with unit, date, trial, PMID and every content word is held by the cited evidence, clause by
clause, (3) direction and negation agree, and a negation stands before what it denies, (4) a prediction, a note, another
patient, a gap or a what-if is called what it is, (5) where it follows the evidence's wording it changes nothing there
and every state stays with its gene, (6) its small words and verbs stand as in a sentence, (7) it cites something its
section is about, when a section is given. The word list is closed: what is neither neutral nor in the evidence is
unsupported, so an instruction, an invented name or another language cannot pass.

What this module does NOT check: whether the evidence itself is right or complete; medical plausibility; which of two
true facts matters more; fine shades of free text (a guideline sentence shortened so that it covers less than it did
keeps its words, drugs and negations, but its scope may shift); tense ("was given" against "is given"); grammar beyond
the rules of grounding_form.py (an inverted sentence of true words, "found was EGFR L858R", passes); "or" put for "and"
in a sentence the ledger words by template. A supported claim is supported by this ledger, no more.
"""

from __future__ import annotations

from assistant.claim import CheckedClaim, Claim, Verdict
from assistant.evidence import CITATION, REFERENCE, Ledger
from assistant.grounding_evidence import views
from assistant.grounding_form import FORM_RULES
from assistant.grounding_negation import NEGATION_RULES
from assistant.grounding_numbers import NUMBER_RULES
from assistant.grounding_prose import PROSE_RULES
from assistant.grounding_quotes import quotes_are_not_altered, states_keep_their_entity
from assistant.grounding_rules import RULES, Finding
from assistant.grounding_statement import read_statement
from assistant.grounding_types import TYPE_RULES, pronouns_fit
from assistant.normalise import clean, hidden_characters
from assistant.sections import SECTION_TYPES
from encoders.errors import ContractError

_ANY_TYPE = frozenset(["summary", "uncertainties"])
_PARTLY = 3
"""Least number of tokens with meaning of which all but one must be held for "supported but for"."""
MAX_RAW, MAX_TEXT, MAX_CITATIONS = 600, 1600, 8


def check_claim(claim: Claim, ledger: Ledger, *, section: str | None = None) -> CheckedClaim:
    """Check one claim.

    Parameters
    ----------
    claim : text with references and perhaps citation marks; citation marks count as citations
    ledger : all evidence of the case
    section : the report section the claim is written for; at least one cited evidence must be of a type it holds

    Returns
    -------
    CheckedClaim: SUPPORTED, CONTRADICTED or UNSUPPORTED (never UNCHECKED), text with references filled in.

    Raises
    ------
    ContractError: ``section`` is no section of the report.
    """
    marked = tuple(CITATION.findall(claim.text))
    cited = tuple(dict.fromkeys((*claim.citations, *marked)))
    bare = " ".join(CITATION.sub(" ", claim.text).split()).replace(" .", ".").replace(" ,", ",")
    filled, unresolved = ledger.fill(bare)
    finding = _form(claim.text, bare, cited, ledger) or _references(bare, unresolved, cited)
    text = clean(filled)[:MAX_TEXT]
    if finding is None:
        finding = _content(filled, cited, ledger)
    if finding is None and section is not None:
        finding = _belongs(cited, ledger, section)
    where = f" (section {section})" if section and finding else ""
    return CheckedClaim(
        text=text,
        citations=cited,
        verdict=finding.verdict if finding else Verdict.SUPPORTED,
        reason=_explain(finding.reason, filled, cited, ledger) + where if finding else f"held by {', '.join(cited)}",
        raw=claim.text,
    )


def _form(raw: str, bare: str, cited: tuple[str, ...], ledger: Ledger) -> Finding | None:
    if not bare.strip(" .,;:"):
        return _unsupported("is empty")
    if len(raw) > MAX_RAW:
        return _unsupported(f"is {len(raw)} characters long; at most {MAX_RAW} are read")
    if not cited:
        return _unsupported("cites no evidence")
    if len(cited) > MAX_CITATIONS:
        return _unsupported(f"cites {len(cited)} evidences; at most {MAX_CITATIONS} can be checked in one sentence")
    unknown = [c for c in cited if c not in ledger]
    if unknown:
        return _unsupported(f"cites {', '.join(c[:20] for c in unknown)}, which the ledger does not hold")
    hidden = hidden_characters(raw)
    return _unsupported(hidden) if hidden else None


def _references(bare: str, unresolved: tuple[str, ...], cited: tuple[str, ...]) -> Finding | None:
    if unresolved:
        return _unsupported(f"references {', '.join(unresolved)}, which the ledger does not hold")
    for match in REFERENCE.finditer(bare):
        if match[1] not in cited:
            return _unsupported(f"references {match[0]} without citing {match[1]}")
    if "{" in REFERENCE.sub("", bare) or "}" in REFERENCE.sub("", bare):
        return _unsupported("holds a brace that is not a reference")
    return None


def _belongs(cited: tuple[str, ...], ledger: Ledger, section: str) -> Finding | None:
    """A section is about its own kinds of evidence; the summary and the uncertainties may be about any."""
    if section not in SECTION_TYPES:
        raise ContractError(f"section {section!r} is unknown; allowed: {', '.join(SECTION_TYPES)}.")
    own = SECTION_TYPES[section]
    if section in _ANY_TYPE or any(ledger[c].type in own for c in cited):
        return None
    types = ", ".join(sorted({ledger[c].type.replace("_", " ") for c in cited}))
    return _unsupported(f"cites {types} alone, which does not belong to this section")


def _content(filled: str, cited: tuple[str, ...], ledger: Ledger) -> Finding | None:
    if len(filled) > MAX_TEXT:
        return _unsupported(f"is {len(filled)} characters long once filled in; at most {MAX_TEXT} are read")
    statement = read_statement(filled, views(ledger, cited))
    finding = pronouns_fit(statement, ledger)
    for rule in (
        *RULES,
        *PROSE_RULES,
        *TYPE_RULES,
        *NUMBER_RULES,
        states_keep_their_entity,
        quotes_are_not_altered,
        *NEGATION_RULES,
        *FORM_RULES,
    ):
        if finding is not None:
            return finding
        finding = rule(statement)
    return finding


_ONE_TOKEN = "which the cited evidence does not hold"


def _explain(reason: str, filled: str, cited: tuple[str, ...], ledger: Ledger) -> str:
    """The reason; where all but one token of the claim is held, it is named as partly supported."""
    if not reason.endswith(_ONE_TOKEN):
        return reason
    bound = read_statement(filled, views(ledger, cited)).bound
    missing = {b.token.surface for b in bound if not b.support}
    if len(missing) > 1 or len(bound) < _PARTLY:
        return reason
    return f"supported but for {next(iter(missing))!r}: {reason}"


def _unsupported(reason: str) -> Finding:
    return Finding(Verdict.UNSUPPORTED, reason)
