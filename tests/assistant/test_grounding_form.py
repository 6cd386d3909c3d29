"""What the decoder is taught to write stands; the same words strung together wrongly do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assistant.claim import Claim, Verdict
from assistant.evidence import Evidence, Ledger
from assistant.grounding import check_claim
from assistant.lm_cases import WORDED_TYPES
from assistant.lm_lines import compact_line, parse_line
from assistant.lm_phrases import (
    FINDING_PHRASES,
    PHRASES,
    PROBABILITY_TAILS,
    applicable,
    capital,
    fill_phrase,
    reference,
)


def wordings(item: Evidence) -> Iterator[str]:
    """The evidence in every phrasing of the phrase table that fits it."""
    parsed = parse_line(compact_line(item))
    assert parsed is not None
    evidence_id, kind, fields = parsed
    for phrase in PHRASES.get(kind, ()):
        text = fill_phrase(phrase.text, evidence_id, fields, {}) if applicable(phrase, fields) else None
        if text:
            yield text if text.endswith((".statement}", '"')) else f"{text}."
    if kind in ("appearance", "expression_profile"):
        attribute = str(item.fields["attribute"].value).replace(" ", "_")
        for clause in FINDING_PHRASES[attribute]:
            for tail in dict.fromkeys(PROBABILITY_TAILS):
                shown = clause.replace("<finding>", item.fields["finding"].display)
                yield capital(shown + tail.replace("{probability}", reference(evidence_id, "probability"))) + "."


def test_every_phrasing_of_every_evidence_is_supported(toy_ledger: Ledger) -> None:
    tried, refused = 0, []
    for item in (e for e in toy_ledger if e.type in WORDED_TYPES):
        worded = list(wordings(item))
        assert worded, f"no phrasing fits {item.id} ({item.type})"
        for text in worded:
            tried += 1
            checked = check_claim(Claim(text, (item.id,)), toy_ledger)
            if checked.verdict is not Verdict.SUPPORTED:
                refused.append(f"{checked.text} -> {checked.reason}")
    assert tried > 300
    assert refused == []


@pytest.mark.parametrize(
    ("text", "cited", "reason"),
    [
        ("Checked inside the deletion test passed.", "X3", "which is no place"),
        ("checked within the heat map's deletion test passed", "X3", "which is no place"),
        ("The the deletion test passed.", "X3", "twice in a row"),
        ("The heat map of the is inside the lesion; deletion test passed.", "X3", "'the' stands before 'is'"),
        ("EGFR p.L858R was found in.", "M1", "'in' stands before the end of its clause"),
        ("EGFR p.L858R was found and.", "M1", "'and' stands before the end of its clause"),
        ("The of EGFR p.L858R was found.", "M1", "'the' stands before 'of'"),
        ("EGFR p.L858R was found at was an allele fraction of 0.34.", "M1", "'at' stands before 'was'"),
    ],
)  # fmt: skip
def test_true_words_strung_together_wrongly_are_refused(toy_ledger: Ledger, text: str, cited: str, reason: str) -> None:
    checked = check_claim(Claim(text, (cited,)), toy_ledger)
    assert checked.verdict is Verdict.UNSUPPORTED
    assert reason in checked.reason


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("The heat map lies within the lesion (75 % of its weight).", "X3"),
        ("On CT chest, 75 % of the heat map's weight is inside the lesion.", "X3"),
        ("The input is within the reference range; predicted risk is high.", "P1"),
    ],
)
def test_places_that_are_places_pass(toy_ledger: Ledger, text: str, cited: str) -> None:
    checked = check_claim(Claim(text, (cited,)), toy_ledger)
    assert checked.verdict is Verdict.SUPPORTED, checked.reason


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("Available: methylation (no methylation array was ordered).", "F8"),
        ("No methylation is available: no methylation array was ordered; not it would inform methylation class.", "F8"),
        ("Of 3 similar synthetic cases median survival is 26 months and 67 % are estimated alive at 26 months.", "S1"),
    ],
)  # fmt: skip
def test_missing_data_and_time_points_are_not_turned_round(toy_ledger: Ledger, text: str, cited: str) -> None:
    assert check_claim(Claim(text, (cited,)), toy_ledger).verdict is not Verdict.SUPPORTED
