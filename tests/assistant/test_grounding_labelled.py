"""The labelled set, small: on the toy case every corruption is refused, and what the corruptions are is as said."""
# ruff: noqa: E501  one sentence a line reads better than a wrapped one

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

from assistant.claim import Claim, Verdict
from assistant.contradictions import find_contradictions
from assistant.contradictions_notes import note_sides
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from assistant.grounding_judge import CrossEncoderJudge, judge_claim
from encoders.errors import ContractError, SettingsError
from encoders.patient import Note, SourceLocator
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


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("This 63-year-old man was seen.", "sex", "male"),
        ("A 45 year old woman with cough.", "age", "45 years"),
        ("KRAS G12C was found by an outside laboratory.", "variant", "KRAS G12C"),
        ("EGFR p.Leu861Gln was reported.", "variant", "EGFR L861Q"),
        ("TMB: 22 mut/Mb.", "biomarker", "TMB 22"),
        ("PD-L1 TPS 5 %.", "biomarker", "PD-L1 5"),
        ("The mass measures 7.5 cm.", "lesion", "7.5 cm"),
    ],
)
def test_a_note_against_the_other_sources(toy: ModuleType, text: str, kind: str, said: str) -> None:
    note = Note(text, SourceLocator("notes/new.txt"), date="2024-06-01")
    patient = toy.toy_patient(notes=(note,))
    found = [c for c in find_contradictions(patient, toy.toy_prediction()) if c.kind == kind]
    assert len(found) == 1
    assert found[0].first == f"the note of 2024-06-01 says {said}"
    assert found[0].second
    assert found[0].file == "notes/new.txt"


@pytest.mark.parametrize(
    "text",
    [
        "This 63-year-old woman was seen.", "Her mother is a 45 year old woman.", "KRAS G12C was not found.", "EGFR p.Leu858Arg was reported.",
        "TMB: 7.5 mut/Mb.", "PD-L1 TPS 55 %.", "The mass measures 3.8 cm.", "The mass previously measured 7.5 cm.",
    ],
)  # fmt: skip
def test_agreement_denial_family_and_the_past_are_no_contradiction(toy: ModuleType, text: str) -> None:
    note = Note(text, SourceLocator("notes/new.txt"))
    assert list(note_sides(toy.toy_patient(), note, (38.2, 33.1))) == []
