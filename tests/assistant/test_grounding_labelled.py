"""The labelled set, small: on the toy case every corruption is refused, and what the corruptions are is as said."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from app.chat_events import AnswerText
from assistant.chat import answer
from assistant.claim import Claim, Verdict
from assistant.collect import collect_evidence
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from assistant.grounding_judge import CrossEncoderJudge, judge_claim, judge_versions
from assistant.llm.chat_model import ChatRequest
from assistant.llm.scripted import ScriptedModel
from assistant.pipeline import CaseContext, run
from encoders.errors import ContractError, SettingsError, UnavailableError
from eval.grounding import HELD_OUT, SEEN
from eval.grounding_claims import labelled_claims


def test_the_labelled_set_is_half_honest_and_repeats_with_its_seed(toy_ledger: Ledger) -> None:
    items = labelled_claims([toy_ledger], SEEN, seed=5, per_wording=1)
    again = labelled_claims([toy_ledger], SEEN, seed=5, per_wording=1)
    assert [(i.text, i.citations, i.corruption) for i in items] == [(i.text, i.citations, i.corruption) for i in again]
    assert sum(i.corruption == "" for i in items) * 2 == len(items)
    kinds = Counter(i.corruption for i in items)
    assert {"drug", "gene", "variant", "number", "unit", "direction", "negation", "wrong_id", "stage", "date"} <= set(
        kinds
    )


def test_every_corrupted_sentence_about_the_toy_case_is_refused(toy_ledger: Ledger) -> None:
    items = [i for i in labelled_claims([toy_ledger], SEEN, seed=7, per_wording=1) if i.corruption]
    passed = [
        f"{i.corruption}: {i.text} {i.citations}"
        for i in items
        if check_claim(i.claim, toy_ledger, section=i.section).verdict is Verdict.SUPPORTED
    ]
    assert len(items) > 120
    assert passed == []


def test_no_held_out_sentence_is_one_the_checker_was_mended_for() -> None:
    seen = {s for sentences in SEEN.values() for s in sentences}
    held_out = [s for sentences in HELD_OUT.values() for s in sentences]
    assert len(seen) >= 150
    assert not seen & set(held_out)


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("No methylation is available: no methylation array was ordered; a not methylation array would answer.", "F8"),
        ("There is not no methylation (no methylation array was ordered).", "F8"),
        ("The case has no not methylation.", "F8"),
        ("Not available: not methylation (no methylation array was ordered).", "F8"),
        ("Age is sex is female.", "F2"),
        ("Is 63 years old the patient.", "F2"),
        ("Necrosis appears absent not (probability 0.83).", "I4"),
    ],
)
def test_true_words_in_no_sentence_are_refused(toy_ledger: Ledger, text: str, cited: str) -> None:
    assert check_claim(Claim(text, (cited,)), toy_ledger).verdict is not Verdict.SUPPORTED


def test_a_claim_belongs_to_its_section(toy_ledger: Ledger) -> None:
    claim = Claim("EGFR p.L858R was found.", ("M1",))
    assert check_claim(claim, toy_ledger, section="molecular").verdict is Verdict.SUPPORTED
    assert check_claim(claim, toy_ledger, section="summary").verdict is Verdict.SUPPORTED
    refused = check_claim(claim, toy_ledger, section="imaging")
    assert refused.reason == "cites variant alone, which does not belong to this section (section imaging)"
    with pytest.raises(ContractError, match="allowed: summary"):
        check_claim(claim, toy_ledger, section="appendix")


def test_partial_support_is_named(toy_ledger: Ledger) -> None:
    reason = check_claim(Claim("EGFR p.L858R was found in a smoker.", ("M1",)), toy_ledger).reason
    assert reason.startswith("supported but for 'smoker': ")


@pytest.fixture(scope="module")
def nli_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nli")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "egfr", "was", "found"]))
    torch.manual_seed(0)
    labels = {0: "contradiction", 1: "entailment", 2: "neutral"}
    config = BertConfig(
        vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, id2label=labels,
        label2id={v: k for k, v in labels.items()},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_the_judge_can_only_withhold(toy_ledger: Ledger, nli_folder: Path) -> None:
    judge = CrossEncoderJudge(str(nli_folder))
    chances = judge.probabilities("EGFR was found", "EGFR was found")
    assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
    held = check_claim(Claim("EGFR p.L858R was found.", ("M1",)), toy_ledger)
    lie = check_claim(Claim("KRAS p.G12C was found.", ("M1",)), toy_ledger)
    assert judge_claim(held, toy_ledger, None) is held
    assert judge_claim(lie, toy_ledger, judge) is lie
    judged = judge_claim(held, toy_ledger, judge)  # random weights: near one third each, so not entailed
    assert judged.verdict is Verdict.UNSUPPORTED
    assert "not entailed" in judged.reason


def test_a_model_without_nli_labels_is_no_judge(nli_folder: Path, tmp_path: Path) -> None:
    model = BertForSequenceClassification.from_pretrained(nli_folder)
    model.config.id2label = {0: "a", 1: "b", 2: "c"}
    model.save_pretrained(tmp_path)
    BertTokenizer.from_pretrained(nli_folder).save_pretrained(tmp_path)
    with pytest.raises(SettingsError, match="entailment and contradiction"):
        CrossEncoderJudge(str(tmp_path))


def test_a_judge_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"cannot be loaded.*name a folder or hub id, or leave --nli out"):
        CrossEncoderJudge(str(tmp_path / "no-such-model"))


def test_evidence_longer_than_the_judge_reads_is_cut_and_counted_and_a_longer_claim_withheld(
    toy_ledger: Ledger, nli_folder: Path
) -> None:
    judge = CrossEncoderJudge(str(nli_folder))
    assert judge.probabilities("egfr " * 600, "EGFR was found") is not None and judge.premises_cut == 1
    assert judge_versions(judge) == {"nli_judge": str(nli_folder), "nli_judge.premises_cut": "1"}
    assert judge_versions(judge, cut_before=1) == {"nli_judge": str(nli_folder)} and judge_versions(None) == {}
    held = check_claim(Claim("EGFR p.L858R was found.", ("M1",)), toy_ledger)
    judged = judge_claim(replace(held, text="egfr " * 600), toy_ledger, judge)
    assert (judged.verdict, judged.judge) == (Verdict.UNSUPPORTED, judge.name) and "longer than" in judged.reason


class Doubting:
    """A judge that contradicts whatever names EGFR."""

    name, premises_cut = "doubting", 0

    def probabilities(self, premise: str, hypothesis: str) -> dict[str, float]:
        doubt = float("EGFR" in hypothesis)
        return {"entailment": 1 - doubt, "neutral": 0.0, "contradiction": doubt}


def reply(request: ChatRequest) -> str:
    said = {"M1": "EGFR p.L858R was found.", "M7": "TP53 p.R175H was found."}
    claims = [{"text": t, "citations": [i]} for i, t in said.items() if i in request.allowed_ids]
    return json.dumps({"claims": claims})


def test_what_the_judge_withholds_from_a_report_is_counted_and_gives_its_reason(toy: ModuleType) -> None:
    parts = toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved()
    context = CaseContext(*parts, collect_evidence(*parts))
    alone = run(context, ScriptedModel([reply], repeat_last=True))
    judged = run(context, ScriptedModel([reply], repeat_last=True), judge=Doubting())
    assert "withheld_by_the_judge" not in alone.raw_claims and "nli_judge" not in alone.versions
    stopped = [c for c in judged.withheld if c.judge]
    assert {c.text for c in stopped} == {"EGFR p.L858R was found."} and judged.raw_claims["withheld_by_the_judge"] >= 1
    assert stopped[0].reason == "passes the rules, but the judge doubting calls it contradicted, probability 1.00"
    assert judged.versions["nli_judge"] == "doubting"
    own = [c.text for s in judged.sections for c in s.claims if not c.quoted]
    assert "TP53 p.R175H was found." in own and "EGFR p.L858R was found." not in own


def test_what_the_judge_withholds_from_an_answer_is_shown_with_its_reason(toy: ModuleType) -> None:
    parts = toy.toy_patient(), replace(toy.toy_prediction(), embeddings=None), toy.toy_retrieved()
    context = CaseContext(*parts, collect_evidence(*parts))
    events = list(answer("Is EGFR mutated?", context, ScriptedModel([reply], repeat_last=True), judge=Doubting()))
    (withheld,) = {(e.text, e.judge) for e in events if e.kind == "withheld"}
    assert withheld == ("EGFR p.L858R was found.", "doubting")
    text = AnswerText()
    for event in events:
        text.add(event)
    assert "withheld by the judge: passes the rules, but the judge doubting calls it" in text.final_note()
