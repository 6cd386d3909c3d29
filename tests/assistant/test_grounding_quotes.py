"""Quotes of the shipped knowledge: word for word they stand, with one word turned round they do not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from assistant.claim import Claim, Verdict
from assistant.collect_retrieval import draft_retrieved
from assistant.evidence import Evidence, EvidenceKind, Ledger
from assistant.grounding import check_claim
from assistant.grounding_runs import changes, runs, sequence, text_sequence
from assistant.normalise import tokenise
from retrieval.corpus import builtin
from retrieval.passage import Hit, Retrieved, TherapyMatch

ANTONYMS = tuple(tuple(pair.split(":")) for pair in """
mutated:wild-type mutant:wild-type mutation:wild-type amplified:deleted amplification:deletion gain:loss
fusion:deletion positive:negative present:absent raise:lower raised:lowered raises:lowers increase:decrease
high:low higher:lower longer:shorter prolonged:shortened improved:worsened more:fewer most:least better:worse
sensitivity:resistance sensitive:resistant indicated:contraindicated offered:excluded avoid:use benefit:harm
inhibitors:inducers inhibitor:inducer strong:moderate above:below under:over before:after with:without to:from
and:or adjuvant:neoadjuvant first:second partial:complete superior:inferior methylated:unmethylated
resectable:unresectable passed:failed within:outside
""".split())  # fmt: skip  # noqa: SIM905  a pair a word reads better


def knowledge_ledger() -> Ledger:
    """Every shipped therapy row as offered, every resistance row as excluded, every passage."""
    matches = tuple(TherapyMatch(r, "exact", (r.rule.text,), ()) for r in builtin.load_therapy_rows())
    hits = tuple(Hit(p, 0.5, {}) for p in builtin.load_passages())
    drafts = draft_retrieved(Retrieved(hits, matches, ()))
    return Ledger(tuple(
        Evidence(f"G{i}", EvidenceKind.GUIDELINE, d.type, d.text, d.fields, d.source) for i, d in enumerate(drafts, 1)
    ))  # fmt: skip


@pytest.fixture(scope="module")
def knowledge() -> Ledger:
    return knowledge_ledger()


def quotes(item: Evidence) -> Iterator[str]:
    """The whole text, and the longer fields framed the way a report frames them."""
    if len(item.text) <= 600:
        yield item.text
    if item.type == "passage":
        yield item.fields["statement"].display
        return
    drug, status = item.fields["drug"].display, item.fields["status"].display
    if "contraindications" in item.fields:
        yield f"{drug} ({status}); weigh {item.fields['contraindications'].display}."
    if "line" in item.fields:
        yield f"{drug}{'' if status == 'offered' else f', {status}'}: {item.fields['line'].display}."


def turned(text: str) -> Iterator[tuple[str, str]]:
    """(what was turned, the text with that one word turned round)."""
    for first, second in (*ANTONYMS, *((b, a) for a, b in ANTONYMS)):
        for form in (first, first.replace("-", " ")) if "-" in first else (first,):
            for match in re.finditer(rf"(?<!\w){re.escape(form)}(?!\w)", text):
                yield f"{form} -> {second}", text[: match.start()] + second + text[match.end() :]
    for match in re.finditer(r"\b(?:not|no) ", text):
        yield f"{match[0]}left out", text[: match.start()] + text[match.end() :]


def verdict(text: str, item: Evidence, ledger: Ledger) -> Verdict:
    return check_claim(Claim(text, (item.id,)), ledger).verdict


def test_every_quote_stands_word_for_word(knowledge: Ledger) -> None:
    refused = [(q, check_claim(Claim(q, (e.id,)), knowledge).reason) for e in knowledge for q in quotes(e)
               if verdict(q, e, knowledge) is not Verdict.SUPPORTED]  # fmt: skip
    assert refused == []


def test_no_quote_stands_with_one_word_turned_round(knowledge: Ledger) -> None:
    tried, passed = 0, []
    for item in knowledge:
        for quote in quotes(item):
            for what, lie in turned(quote):
                tried += 1
                if verdict(lie, item, knowledge) is Verdict.SUPPORTED:
                    passed.append((what, lie))
    assert tried > 3000, "the shipped knowledge holds thousands of words that can be turned round"
    assert passed == []


def test_no_quote_stands_with_a_not_put_in(knowledge: Ledger) -> None:
    passed = []
    for item in list(knowledge)[::4]:
        for quote in quotes(item):
            words = quote.split()
            for i in range(1, len(words), 2):
                lie = " ".join([*words[:i], "not", *words[i:]])
                if verdict(lie, item, knowledge) is Verdict.SUPPORTED:
                    passed.append(lie)
    assert passed == []


@pytest.mark.parametrize("drug", ["dabrafenib + trametinib", "encorafenib + binimetinib"])
def test_ras_mutated_is_not_turned_into_wild_type_in_a_contraindication(knowledge: Ledger, drug: str) -> None:
    """Regression: the two lies of 20,400 that a benchmark run printed."""
    items = [
        e for e in knowledge if e.type == "therapy" and e.fields["drug"].display == drug and "RAS-mutated" in e.text
    ]
    assert items
    for item in items:
        for state in ("RAS-wild type", "RAS wild-type", "RAS unmutated"):
            lie = item.text.replace("RAS-mutated", state)
            assert verdict(lie, item, knowledge) is Verdict.CONTRADICTED
            assert verdict(f"{drug}: weigh growth of {state} tumours.", item, knowledge) is not Verdict.SUPPORTED


def change(claim: str, text: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    found = runs(sequence(tokenise(claim)), text_sequence(text))
    return sorted({(c.said, c.held) for c in changes(found, [found])})


def test_a_change_between_equal_runs_is_found_by_hand() -> None:
    text = "strong CYP3A inducers lower exposure of the drug"
    assert change(text, text) == []
    assert change("strong CYP3A inhibitors lower exposure of the drug", text) == [(("inhibitor",), ("inducer",))]
    assert change("strong CYP3A inducers never lower exposure of the drug", text) == [(("never",), ())]
    assert change("strong inducers lower exposure of the drug", text) == [((), ("cyp3a",))]
    assert change("weak inducers raise toxicity", text) == []


def test_a_number_moved_to_another_place_of_the_sentence_is_a_change() -> None:
    text = "median survival was 18.9 months with osimertinib and 10.2 months with gefitinib"
    assert change("median survival was 10.2 months with osimertinib and 10.2 months with gefitinib", text) == [
        (("number:10.2:month",), ("number:18.9:month",))
    ]
    assert change("median survival was 10.2 months with gefitinib", text) == []
