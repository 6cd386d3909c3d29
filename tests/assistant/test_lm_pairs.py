"""Training pairs: every answer is held by its lines, findings come from the donor, a seed gives the same pairs."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from assistant.claim import Claim, Verdict
from assistant.collect import collect_evidence, number_after
from assistant.evidence import CITATION, REFERENCE, Evidence, Ledger
from assistant.grounding import check_claim
from assistant.llm.chat_model import PromptStyle, SoftTokensPart, TextPart
from assistant.llm.locations import SHIPPED_LM
from assistant.llm.scripted import ScriptedModel
from assistant.llm.soft_tokens import CARD_FILE
from assistant.lm_cases import (
    PERCEIVED_FROM,
    TOGETHER,
    WORDED_TYPES,
    Line,
    case_of,
    line_of,
    made_up_case,
    made_up_line,
    told_types,
    with_lent_explanations,
)
from assistant.lm_lines import referable_fields
from assistant.lm_pairs import LMPair, PairMaker, answer
from assistant.lm_phrases import FINDING_PHRASES, PHRASES, applicable, capital, fill_phrase
from assistant.lm_questions import TOPICS, UNKNOWNS, WHAT_IFS
from assistant.prompt import NO_EVIDENCE, parse_claims, report_requests
from assistant.sections import SECTION_TYPES
from assistant.what_if import VariantChange, ask_what_if
from assistant.what_if_question import read_changes
from encoders.errors import ContractError
from encoders.lesion_change import lesion_change
from encoders.prediction import FollowUpStatus
from encoders.vocabulary import APPEARANCE, EXPRESSION_PROFILES


@pytest.fixture(scope="module")
def pairs() -> list[LMPair]:
    rng = random.Random(4)
    return [p for p in _draw([made_up_case(rng) for _ in range(30)], 600)]


def _draw(cases: list, count: int, **options: object) -> list[LMPair]:
    maker = PairMaker(cases, seed=9, **options)  # type: ignore[arg-type]
    return [maker.draw() for _ in range(count)]


def text_of(pair: LMPair) -> str:
    return "\n".join(f"<{t}>" if is_soft else t for t, is_soft in pair.parts)


def test_every_reference_and_citation_of_an_answer_is_offered_by_its_lines(pairs: list[LMPair]) -> None:
    for pair in pairs:
        offered = referable_fields(text_of(pair))
        for line in pair.answer.splitlines():
            cited = CITATION.findall(line)
            assert line == NO_EVIDENCE or cited
            assert set(cited) <= set(offered)
            for evidence_id, name in REFERENCE.findall(line):
                assert evidence_id in cited and name in offered[evidence_id]


def test_a_section_answer_cites_every_line_once(pairs: list[LMPair]) -> None:
    sections = [p for p in pairs if p.kind in SECTION_TYPES and p.parts[0][0].startswith("section")]
    assert len(sections) > 200
    for pair in sections:
        assert sorted(CITATION.findall(pair.answer)) == sorted(referable_fields(text_of(pair)))


def test_questions_are_answered_and_abstained_from(pairs: list[LMPair]) -> None:
    asked = [p for p in pairs if p.parts[0][0].startswith("question")]
    silent = [p for p in asked if p.answer == NO_EVIDENCE]
    assert 0.15 < len(silent) / len(asked) < 0.5
    assert {p.kind for p in asked} >= {"variants", "therapy options", "margin", "risk", "other"}


def test_findings_told_by_soft_tokens_are_not_in_the_text(pairs: list[LMPair]) -> None:
    told = [p for p in pairs if p.findings]
    assert told
    for pair in told:
        for word in pair.findings.values():
            assert f"finding={word}" not in text_of(pair)
            assert word.replace("_", " ") in pair.answer


def test_the_donors_finding_is_told_not_the_patients() -> None:
    rng = random.Random(0)
    cases = [c for c in (made_up_case(rng) for _ in range(60)) if "imaging" in c.embeddings]
    maker = PairMaker(cases, seed=1, noise=0.0)
    for pair in (maker.draw() for _ in range(300)):
        if "imaging" not in pair.soft:
            continue
        donors = [c for c in cases if np.array_equal(c.embeddings["imaging"], pair.soft["imaging"])]
        assert len(donors) == 1
        words = set(donors[0].findings["imaging"].values())
        expression = {w for pair_ in EXPRESSION_PROFILES.values() for w in pair_}
        assert {w for w in pair.findings.values() if w not in expression or w in words} <= words | expression


def test_the_same_seed_gives_the_same_pairs() -> None:
    rng = random.Random(2)
    cases = [made_up_case(rng) for _ in range(5)]
    first, second = _draw(cases, 40), _draw(cases, 40)
    assert [(p.parts, p.answer) for p in first] == [(p.parts, p.answer) for p in second]


def test_ids_do_not_always_start_at_one(pairs: list[LMPair]) -> None:
    firsts = [next(iter(referable_fields(text_of(p))), "M1")[1:] for p in pairs]
    assert 0.1 < sum(f == "1" for f in firsts) / len(firsts) < 0.7


def test_no_cases_is_an_error() -> None:
    with pytest.raises(ContractError, match="sample at least one patient"):
        PairMaker([], seed=0)


# ---- the same form at training and at run time ----


def test_training_lines_are_the_lines_a_request_shows(toy_ledger: Ledger) -> None:
    soft = tuple(SoftTokensPart(np.zeros((1, 2), np.float32), m) for m in ("imaging", "expression"))
    llm = ScriptedModel([], style=PromptStyle.COMPACT)
    for section in SECTION_TYPES:
        for request in report_requests(toy_ledger, section, llm, soft):
            shown = [p.text for p in request.messages[0].parts if isinstance(p, TextPart)][-1].splitlines()
            expected = [line_of(toy_ledger[i]).written() for i in request.allowed_ids]
            assert shown[-len(expected) :] == expected


def test_every_worded_type_of_a_section_has_at_least_six_phrasings() -> None:
    for types in SECTION_TYPES.values():
        for kind in types:
            if kind not in PERCEIVED_FROM and kind in WORDED_TYPES:
                assert len(PHRASES[kind]) >= 6, kind
    assert set(PHRASES) | set(PERCEIVED_FROM) == WORDED_TYPES
    assert set(FINDING_PHRASES) == set(APPEARANCE) | set(EXPRESSION_PROFILES)


def test_every_phrasing_of_the_toy_case_passes_the_check(toy_ledger: Ledger) -> None:
    refused = []
    for item in (e for e in toy_ledger if e.type in WORDED_TYPES):
        line = line_of(item)
        if item.type in PERCEIVED_FROM:
            finding = (line.finding or "").replace("_", " ")
            texts = [capital(t.replace("<finding>", finding)) for t in FINDING_PHRASES[str(line.fields["attribute"])]]
        else:
            options = [p.text for p in PHRASES[item.type] if applicable(p, line.fields)]
            texts = [t for t in (fill_phrase(o, line.id, line.fields, {}) for o in options) if t]
        for text in texts:
            stop = "" if re.search(r"(\.statement\}|\")$", text) else "."
            checked = check_claim(Claim(f"{text}{stop}", (item.id,)), toy_ledger)
            if checked.verdict is not Verdict.SUPPORTED:
                refused.append((checked.text, checked.reason))
    assert not refused


def test_worded_answers_of_the_toy_case_pass_the_check(toy_ledger: Ledger) -> None:
    lines = [e for e in case_of("LUAD", toy_ledger, {}, "", keep_evidence=False).lines if e.type in WORDED_TYPES]
    for seed in range(3):
        for claim in parse_claims(answer(lines, random.Random(seed)), PromptStyle.COMPACT):
            checked = check_claim(claim, toy_ledger)
            assert checked.verdict is Verdict.SUPPORTED, (checked.text, checked.reason)


def test_optional_parts_of_a_phrase_need_all_their_fields() -> None:
    text = "{gene}[[ ({variant}, {depth})|| ({variant})]][[ at {depth}]]"
    assert fill_phrase(text, "M1", {"gene": None, "variant": None}, {}) == "{M1.gene} ({M1.variant})"
    assert fill_phrase(text, "M1", {"gene": None}, {}) == "{M1.gene}"
    assert fill_phrase(text, "M1", {"variant": None}, {}) is None


def test_topics_and_unknowns_are_asked_in_several_ways() -> None:
    assert all(len(topic.questions) >= 6 and topic.test for topic in TOPICS.values())
    assert all(u.keys and u.questions and u.test for u in UNKNOWNS)


# ---- types a decoder words ----


def test_types_without_phrasings_are_in_no_pair_and_in_no_card(toy_ledger: Ledger) -> None:
    case = case_of("LUAD", toy_ledger, {}, "", keep_evidence=False)
    verdict = Line("I40", "series_verdict", {"modality": "ct", "role": None})
    case = replace(case, lines=(*case.lines, verdict))
    told = [t for p in _draw([case], 300) for t in text_of(p).splitlines() if " series_verdict" in t]
    assert not told
    assert set(told_types([case])) == {line.type for line in case.lines} - {"series_verdict"}


NOT_YET_TAUGHT = {
    "gene_attribution", "heatmap", "hypothetical_risk", "hypothetical_therapy", "lesion_change", "lesion_intensity",
    "lesion_sum", "neighbour_survival", "pathway", "proposed_lesion",
}  # fmt: skip


def test_the_shipped_card_names_the_types_its_training_ledgers_held() -> None:
    """Its cases had no explanations, what-ifs or earlier studies; can_word keeps what it never met from it."""
    card = json.loads((SHIPPED_LM / CARD_FILE).read_text())
    assert set(card["evidence_types"]) == WORDED_TYPES - NOT_YET_TAUGHT


# ---- types added since that training ----


def every_phrasing(item: Evidence) -> list[str]:
    line = line_of(item)
    options = [p.text for p in PHRASES[item.type] if applicable(p, line.fields)]
    return [t for t in (fill_phrase(o, line.id, line.fields, {}) for o in options) if t]


def refused_phrasings(ledger: Ledger, *types: str) -> list[tuple[str, str]]:
    held = ledger.of_type(*types)
    assert {e.type for e in held} == set(types)
    checked = [check_claim(Claim(f"{t}.", (e.id,)), ledger) for e in held for t in every_phrasing(e)]
    assert len(checked) >= len(held)
    return [(c.text, c.reason) for c in checked if c.verdict is not Verdict.SUPPORTED]


@pytest.mark.parametrize(
    ("before", "status"),
    [(28.4, "compared"), (46.0, "compared"), (38.2, "compared"), (None, "new"), (None, "vanished"),
     (None, "not matched")],
)  # fmt: skip
def test_every_phrasing_of_a_change_passes_the_check(before: float | None, status: str, toy: ModuleType) -> None:
    change = lesion_change(before, 38.2) if before is not None else None
    row = replace(
        toy.toy_prediction().follow_up[0], change=change, status=FollowUpStatus(status),
        measure="longest diameter" if change else "", basis="2 outlined before and 1 now bear different labels",
    )  # fmt: skip
    prediction = toy.toy_prediction(follow_up=(row,))
    ledger = collect_evidence(toy.toy_patient(), prediction, toy.toy_retrieved())
    assert not refused_phrasings(ledger, "lesion_change")


def test_every_phrasing_of_a_proposed_outline_says_that_nobody_confirmed_it(toy: ModuleType) -> None:
    proposed = replace(toy.toy_prediction().measurements[0], segment_label="proposed lesion", proposed=True)
    ledger = collect_evidence(
        toy.toy_patient(), toy.toy_prediction(measurements=(proposed,), follow_up=(), diameter_sums=()),
        toy.toy_retrieved(),
    )  # fmt: skip
    assert not refused_phrasings(ledger, "proposed_lesion")
    assert all("not confirmed by a person" in p.text and "roposed" in p.text for p in PHRASES["proposed_lesion"])


def test_every_phrasing_of_a_what_if_passes_the_check(toy: ModuleType, toy_ledger: Ledger) -> None:
    now = toy.toy_prediction()
    survival = next(p for p in now.predictions if p.task == "survival")
    curve = replace(survival.curve, survival_probability=survival.curve.survival_probability * 0.9)
    worse = (replace(survival, value=0.9, percentile=88.0, curve=curve), *now.predictions[1:])
    changed = VariantChange(gene="EGFR", action="removed")
    rows = tuple(m.row for m in toy.toy_retrieved().therapies)
    found = ask_what_if(toy.toy_patient(), (changed,), now, lambda _: replace(now, predictions=worse), rows)
    ledger = Ledger((*toy_ledger, *number_after(toy_ledger, found.drafts)))
    refused = refused_phrasings(ledger, "hypothetical_risk", "hypothetical_therapy")
    assert refused == []


def test_what_if_questions_of_training_name_a_change() -> None:
    assert [q for q in WHAT_IFS if not read_changes(q)] == []


def test_fields_written_together_stay_together() -> None:
    rng = random.Random(3)
    case = made_up_case(rng)
    lines = [made_up_line(kind, 1, rng) for kind in TOGETHER for _ in range(60)]
    varied = PairMaker([case], seed=5)
    for line in (*lines, *(varied._varied(line) for line in lines)):
        for group in TOGETHER[line.type]:
            held = {n for n in group if n in line.fields}
            assert held in (set(), set(group)), line
    scales = [
        sum(g[0] in line.fields for g in TOGETHER["lesion_intensity"])
        for line in lines
        if "I1 lesion_int" in line.written()
    ]
    assert scales and set(scales) == {1}


def test_a_case_without_explanations_is_lent_those_of_its_cancer() -> None:
    rng = random.Random(1)
    map_line = Line("X2", "heatmap", {"series": None, "overlap": None, "deletion_test": None})
    plain = replace(made_up_case(rng), oncotree="LUAD", lines=(), embeddings={"imaging": np.zeros((1, 4), np.float32)})
    explained = replace(plain, lines=(map_line,))
    other = replace(plain, oncotree="BRCA")
    given = with_lent_explanations([explained, plain, other], seed=0)
    assert [[line.type for line in c.lines] for c in given] == [["heatmap"], ["heatmap"], []]
