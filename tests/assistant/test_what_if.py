"""A what-if changes a copy, says the difference as hypothetical, and is never a fact."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

from assistant.claim import CheckedClaim, Verdict
from assistant.collect import collect_evidence, number_after
from assistant.evidence import Ledger
from assistant.hypothetical_claims import hold_hypothetical
from assistant.what_if import (
    BiomarkerChange,
    CopyNumberChange,
    EcogChange,
    StageChange,
    TreatmentChange,
    VariantChange,
    WhatIf,
    apply_changes,
    ask_what_if,
)
from assistant.what_if_question import is_what_if, read_changes
from encoders.errors import InputError
from encoders.predict import predict
from encoders.synthetic.cohort import sample_case
from retrieval.corpus.builtin import load_therapy_rows


@pytest.mark.parametrize(
    ("question", "changes"),
    [
        ("What if the stage were II?", (StageChange(stage="II"),)),
        ("Suppose it were stage 3A", (StageChange(stage="IIIA"),)),
        ("What if EGFR T790M were found?", (VariantChange(gene="EGFR", protein="p.T790M"),)),
        ("What if T790M were found?", (VariantChange(gene="EGFR", protein="p.T790M"),)),
        ("What if EGFR p.Leu858Arg were not there?",
         (VariantChange(gene="EGFR", protein="p.Leu858Arg", action="removed"),)),
        ("What if the tumour were MSI-H?", (BiomarkerChange(name="MSI", value="MSI-H"),)),
        ("What if PD-L1 were 80 %?", (BiomarkerChange(name="PD-L1", value=80.0, unit="%"),)),
        ("If ECOG were 3, what would change?", (EcogChange(ecog=3),)),
        ("What if HER2 were negative?",
         (BiomarkerChange(name="HER2 IHC", value="negative"), CopyNumberChange(gene="ERBB2", call="neutral"))),
        ("What if she had already received osimertinib?", (TreatmentChange(drug="osimertinib"),)),
        ("What if the sky were green?", ()),
    ],
)  # fmt: skip
def test_the_words_of_a_what_if_become_typed_changes(question: str, changes: tuple[object, ...]) -> None:
    assert is_what_if(question) and read_changes(question) == changes


@pytest.mark.parametrize("question", ["What would change the plan?", "Is EGFR mutated?", "What would you do next?"])
def test_other_questions_are_no_what_if(question: str) -> None:
    assert not is_what_if(question)


def test_the_copy_holds_the_change_and_the_patient_does_not(toy: ModuleType) -> None:
    patient = toy.toy_patient()
    copy, made, assumed = apply_changes(patient, [StageChange(stage="II"), VariantChange(gene="EGFR", protein="T790M")])
    assert (copy.diagnosis.stage, patient.diagnosis.stage) == ("II", "IIIA")
    assert [v.protein for v in copy.variants or ()][-1] == "p.T790M" and len(patient.variants or ()) == 3
    assert len(made) == 2 and assumed == ()


def test_a_patient_without_sequencing_is_assumed_to_have_no_other_variant_and_it_is_said(toy: ModuleType) -> None:
    bare = toy.toy_patient(variants=None)
    _, _, assumed = apply_changes(bare, [VariantChange(gene="EGFR", protein="T790M")])
    assert assumed == ("the tumour counts as sequenced with no other variant",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (StageChange(stage="IIIA"), "already has it that the stage is IIIA"),
        (VariantChange(gene="EGFR", protein="p.Leu858Arg"), "already has it"),
        (VariantChange(gene="EGFR"), "which EGFR variant"),
        (VariantChange(gene="NOTAGENE", protein="p.A1B"), "is not known"),
        (TreatmentChange(drug="zolcantinib"), "is not known"),
    ],
)
def test_a_change_that_is_so_already_or_not_exact_is_refused(toy: ModuleType, change: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        apply_changes(toy.toy_patient(), [change])


@pytest.fixture(scope="module")
def asked() -> dict[str, WhatIf]:
    patient = sample_case(3, 0, "LUAD", imaging=False).patient
    now = predict(patient, explain=False)
    changes = {
        "stage": [StageChange(stage="IV")],
        "variant": [StageChange(stage="IV"), VariantChange(gene="EGFR", protein="p.T790M")],
        "nothing": [EcogChange(ecog=1)],
    }
    again = lambda p: predict(p, explain=False)  # noqa: E731
    return {name: ask_what_if(patient, c, now, again, load_therapy_rows()) for name, c in changes.items()}


def test_a_later_stage_raises_the_predicted_risk_with_both_intervals(asked: dict[str, WhatIf]) -> None:
    risk = next(d for d in asked["stage"].drafts if d.type == "hypothetical_risk")
    assert risk.fields["effect"].display == "higher risk"
    assert risk.fields["percentile_then"].value > risk.fields["percentile_now"].value
    assert {"interval_24m_now", "interval_24m_then"} <= set(risk.fields)
    assert risk.text.startswith("Hypothetical, if the stage were IV with everything else as recorded")


def test_options_that_appear_name_their_rule_and_source(asked: dict[str, WhatIf]) -> None:
    rows = {r.row_id: r for r in load_therapy_rows()}
    found = [d for d in asked["variant"].drafts if d.type == "hypothetical_therapy" and "drug" in d.fields]
    assert any("EGFR" in d.fields["biomarker"].display for d in found)
    for draft in found:
        row = rows[str(draft.source.row_id)]
        assert draft.fields["biomarker"].display == row.rule.text and row.rule.text in draft.text


def test_every_sentence_says_that_it_is_hypothetical(asked: dict[str, WhatIf]) -> None:
    assert all(d.text.startswith("Hypothetical, if ") for found in asked.values() for d in found.drafts)
    assert all(d.fields["change"].display.startswith("if ") for found in asked.values() for d in found.drafts)


@pytest.fixture(scope="module")
def supposed(toy: ModuleType, asked: dict[str, WhatIf]) -> Ledger:
    parts = toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved()
    ledger = collect_evidence(*parts)
    return Ledger((*ledger, *number_after(ledger, asked["stage"].drafts)))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("If the stage were IV, the risk would be higher.", Verdict.SUPPORTED),
        ("Hypothetical: higher risk with stage IV.", Verdict.SUPPORTED),
        ("The risk is higher.", Verdict.UNSUPPORTED),
        ("If the stage were IV, the risk is higher.", Verdict.UNSUPPORTED),
        ("If the stage were IV, the risk would be higher; the stage is IV.", Verdict.UNSUPPORTED),
    ],
)
def test_a_claim_that_states_the_hypothetical_as_fact_is_stopped(supposed: Ledger, text: str, verdict: Verdict) -> None:
    item = supposed.of_type("hypothetical_risk")[0]
    assert item.hypothetical
    claim = CheckedClaim(text, (item.id,), Verdict.SUPPORTED, "held", text)
    assert hold_hypothetical(claim, supposed).verdict is verdict


def test_claims_on_facts_pass_untouched(supposed: Ledger) -> None:
    claim = CheckedClaim("The stage is IIIA.", ("F1",), Verdict.SUPPORTED, "held", "")
    assert hold_hypothetical(claim, supposed) is claim
    refused = replace(claim, citations=(supposed.of_type("hypothetical_risk")[0].id,), verdict=Verdict.CONTRADICTED)
    assert hold_hypothetical(refused, supposed) is refused
