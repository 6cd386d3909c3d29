"""From a prepared case to a report: honest, silent, partial and hostile models."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from assistant.claim import Claim, Verdict
from assistant.collect import collect_evidence
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from assistant.llm.chat_model import ChatRequest, PromptStyle
from assistant.llm.hostile import HostileModel
from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext, run
from assistant.report import SECTION_TITLES, Report
from assistant.section_writer import CHECKED_CAP, MUST_CITE, PRINTED_CAP


@pytest.fixture(scope="module")
def context(toy: ModuleType) -> CaseContext:
    parts = toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved()
    return CaseContext(*parts, collect_evidence(*parts))


def answer(*claims: tuple[str, str]) -> str:
    return json.dumps({"claims": [{"text": t, "citations": c.split()} for t, c in claims]})


def honest(ledger: Ledger):
    """Writes the own sentence of every evidence it is shown."""

    def reply(request: ChatRequest) -> str:
        return answer(*((ledger[i].text, i) for i in request.allowed_ids))

    return reply


def printed(report: Report) -> list[str]:
    return [c.text for s in report.sections for c in s.claims]


def test_an_honest_model_is_printed_whole_and_nothing_twice(context: CaseContext) -> None:
    report = run(context, ScriptedModel([honest(context.ledger)], repeat_last=True))
    assert [s.id for s in report.sections] == list(SECTION_TITLES)
    assert report.withheld == ()
    assert report.raw_claims["written"] == report.raw_claims["supported"] > 20
    assert report.raw_claims["quoted"] == 0
    assert len(printed(report)) == len(set(printed(report)))


def test_every_alteration_therapy_and_gap_is_cited_by_an_honest_model(context: CaseContext) -> None:
    report = run(context, ScriptedModel([honest(context.ledger)], repeat_last=True))
    cited = {i for s in report.sections for c in s.claims for i in c.citations}
    assert {e.id for kinds in MUST_CITE.values() for e in context.ledger.of_type(*kinds)} <= cited


def test_a_hostile_model_prints_nothing_of_its_own(context: CaseContext) -> None:
    model = HostileModel(context.ledger, seed=5)
    report = run(context, model)
    told = {lie.text for lie in model.told}
    claims = [c for s in report.sections for c in s.claims]
    assert all(c.quoted and c.verdict is Verdict.SUPPORTED for c in claims)
    assert report.raw_claims["supported"] == 0
    assert {c.raw for c in report.withheld} >= {text.strip() for text in told} - {""}
    assert all(c.reason for c in report.withheld)
    assert all(s.note for s in report.sections)
    assert any(c.verdict is Verdict.UNCHECKED and "over the cap" in c.reason for c in report.withheld)


def test_a_refused_claim_is_asked_again_once_and_both_answers_are_kept(context: CaseContext) -> None:
    wrong, right = answer(("The short axis is 38 mm", "I1")), answer(("The short axis is 21 mm", "I1"))
    asked: list[ChatRequest] = []

    def reply(request: ChatRequest) -> str:
        asked.append(request)
        if "I1" not in request.allowed_ids:
            return answer()
        return right if any("refused" in p.text for m in request.messages for p in m.parts) else wrong

    report = run(context, ScriptedModel([reply], repeat_last=True))
    imaging = next(s for s in report.sections if s.id == "imaging")
    assert [c.text for c in imaging.claims] == ["The short axis is 21 mm"]
    assert [c.raw for c in report.withheld] == ["The short axis is 38 mm"]
    assert report.raw_claims["written"] == 1 and report.raw_claims["supported"] == 0


def test_a_fact_told_in_refused_words_is_quoted_in_the_section_it_belongs_to(context: CaseContext) -> None:
    """A reader loses the model's wording, never the fact: the lesion of "whopping" is quoted, in imaging, once."""

    def reply(request: ChatRequest) -> str:
        claims = [("The longest diameter is a whopping 38 mm.", "I1")] if "I1" in request.allowed_ids else []
        told = [(context.ledger[i].text, i) for i in request.allowed_ids if i.startswith("I") and i != "I1"]
        return answer(*claims, *told)

    report = run(context, ScriptedModel([reply], repeat_last=True))
    where = [(s.id, c.quoted) for s in report.sections for c in s.claims if "I1" in c.citations]
    assert where == [("imaging", True)]
    imaging = next(s for s in report.sections if s.id == "imaging")
    assert "1 piece of evidence is quoted because the check refused the model's wording of it" in imaging.note
    assert [c.raw for c in report.withheld] == ["The longest diameter is a whopping 38 mm."]


def test_a_second_answer_does_not_word_a_printed_fact_anew(context: CaseContext) -> None:
    first, wrong, anew = "The lesion's short axis is 21 mm.", "The short axis is 38 mm.", "Short axis measured: 21 mm."

    def reply(request: ChatRequest) -> str:
        if "I1" not in request.allowed_ids:
            return answer()
        again = any("refused" in p.text for m in request.messages for p in m.parts)
        return answer((anew, "I1")) if again else answer((first, "I1"), (wrong, "I1"))

    assert check_claim(Claim(anew, ("I1",)), context.ledger).verdict is Verdict.SUPPORTED
    report = run(context, ScriptedModel([reply], repeat_last=True))
    assert first in printed(report)
    assert anew not in printed(report)


def test_a_true_claim_is_withheld_from_a_section_it_does_not_belong_to(context: CaseContext) -> None:
    found = "EGFR p.L858R was found"

    def reply(request: ChatRequest) -> str:
        return answer((found, "M1")) if {"I1", "M1"} & set(request.allowed_ids) else answer()

    report = run(context, ScriptedModel([reply], repeat_last=True))
    where = [s.id for s in report.sections for c in s.claims if c.text == found and not c.quoted]
    assert where and "imaging" not in where
    (withheld,) = [c for c in report.withheld if c.raw == found]
    assert withheld.reason == "cites variant alone, which does not belong to this section (section imaging)"


def test_a_silent_model_leaves_quotes_and_says_so(context: CaseContext) -> None:
    report = run(context, ScriptedModel([answer()], repeat_last=True))
    for section in report.sections:
        assert section.claims and all(c.quoted for c in section.claims)
        assert "the top evidence is quoted" in section.note
    cited = {i for s in report.sections for c in s.claims for i in c.citations}
    assert {e.id for kinds in MUST_CITE.values() for e in context.ledger.of_type(*kinds)} <= cited


def test_what_a_section_leaves_out_is_asked_for_in_a_request_of_its_own(context: CaseContext) -> None:
    variants = [e.id for e in context.ledger.of_type("variant")]
    asked: list[tuple[str, ...]] = []

    def reply(request: ChatRequest) -> str:
        asked.append(request.allowed_ids)
        return answer(("EGFR p.L858R was found", "M1")) if "M1" in request.allowed_ids else answer()

    report = run(context, ScriptedModel([reply], repeat_last=True))
    again = [ids for ids in asked if variants[1] in ids and "M1" not in ids]
    assert again and "M4" not in again[0]  # a biomarker need not be cited
    molecular = next(s for s in report.sections if s.id == "molecular")
    assert [c.citations[0] for c in molecular.claims if c.quoted] == [e.id for e in context.ledger if e.id in again[0]]
    assert "quoted because the model left it out" in molecular.note or "top evidence" in molecular.note


def test_two_hundred_true_claims_are_cut_at_the_cap(context: CaseContext) -> None:
    texts = [(f"The lesion has a volume of 12.4 mL on CT chest{', lesion' * n}", "I1") for n in range(200)]

    def reply(request: ChatRequest) -> str:
        return answer(*texts) if "I1" in request.allowed_ids else answer()

    report = run(context, ScriptedModel([reply], repeat_last=True))
    assert max(len(s.claims) for s in report.sections) <= PRINTED_CAP
    assert sum("over the cap" in c.reason for c in report.withheld) == 200 - CHECKED_CAP


def test_the_same_case_and_model_give_the_same_id_and_json_is_strict(context: CaseContext) -> None:
    first, second = (run(context, ScriptedModel([honest(context.ledger)], repeat_last=True)) for _ in range(2))
    assert first.report_id == second.report_id
    assert run(context, ScriptedModel([answer()], repeat_last=True)).report_id != first.report_id
    read = json.loads(json.dumps(first.to_dict(), allow_nan=False))
    assert read["synthetic"] is True and len(read["versions"]["prompts"]) == 64
    assert read["therapies"][0]["drug"] == "osimertinib" and read["therapies"][0]["evidence_ids"] == ["G1", "M1"]
    assert {m["modality"] for m in read["missing"]} == {"methylation", "protein markers"}


def test_types_a_decoder_was_not_trained_on_are_stated_by_their_own_sentence(context: CaseContext) -> None:
    """Counted as quoted, once, without the note that the model left them out; a general model is shown them."""
    lines = {e.id: e for e in context.ledger}

    def reply(request: ChatRequest) -> str:
        return "\n".join(f"{lines[i].text} [{i}]" for i in request.allowed_ids)

    known = frozenset(e.type for e in context.ledger) - {"lesion_change", "heatmap"}
    model = ScriptedModel([reply], style=PromptStyle.COMPACT, repeat_last=True, evidence_types=known)
    report = run(context, model)
    asked = {lines[i].type for r in model.requests for i in r.allowed_ids}
    imaging = next(s for s in report.sections if s.id == "imaging")
    stated = [c for c in imaging.claims if c.quoted]
    assert asked <= known
    assert [lines[c.citations[0]].type for c in stated] == ["lesion_change", "heatmap"]
    assert [c.text for c in stated] == [lines[c.citations[0]].text for c in stated]
    assert report.raw_claims["quoted"] == 2 and imaging.note == ""
    general = ScriptedModel([honest(context.ledger)], repeat_last=True)
    run(context, general)
    assert {"lesion_change", "heatmap"} <= {lines[i].type for r in general.requests for i in r.allowed_ids}


def test_progress_names_each_step(context: CaseContext) -> None:
    said: list[str] = []
    report = run(context, ScriptedModel([answer()], repeat_last=True), progress=said.append)
    assert said == ["ask the model", *(f"section {s}" for s in SECTION_TITLES), "figures"] == list(report.timings_s)


def test_the_report_holds_the_survival_of_similar_cases_and_tells_it_once(context: CaseContext) -> None:
    report = run(context, ScriptedModel([honest(context.ledger)], repeat_last=True))
    held = report.to_dict()["neighbour_survival"]
    assert (held["neighbours"]["n"], held["neighbours"]["events"], held["neighbours"]["median_months"]) == (12, 9, 30.0)
    assert [s["month"] for s in held["neighbours"]["shares"]] == [12.0, 36.0]
    assert (held["reference"]["n"], held["synthetic"], held["oncotree_code"]) == (30, True, "LUAD")
    cited = [i for s in report.sections if s.id == "similar_cases" for c in s.claims for i in c.citations]
    outdone = context.ledger.of_type("similar_summary")[0].id
    assert held["evidence_id"] in cited and outdone not in cited  # one median, not two


def test_a_report_without_a_reference_cohort_has_no_survival_of_similar_cases(toy: ModuleType) -> None:
    parts = toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved(similar_cases=(), neighbour_survival=None)
    context = CaseContext(*parts, collect_evidence(*parts))
    report = run(context, ScriptedModel([honest(context.ledger)], repeat_last=True))
    assert report.to_dict()["neighbour_survival"] == {}
