"""A what-if changes a copy, says the difference as hypothetical, and is never a fact."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

from assistant.claim import CheckedClaim, Claim, Verdict
from assistant.collect import collect_evidence, number_after
from assistant.evidence import Field, Ledger
from assistant.grounding import check_claim
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


TRUE_OF_RISK = (
    "If the stage were IV, the risk would be higher.",
    "Hypothetical, if the stage were IV: higher risk.",
    "If the stage were IV, the risk percentile would rise from the {R.percentile_now} to the {R.percentile_then}.",
    "If the stage were IV, predicted 24-month survival would be {R.survival_24m_then} (95 % interval "
    "{R.interval_24m_then}) instead of {R.survival_24m_now} (95 % interval {R.interval_24m_now}).",
    "If the stage were IV, predicted 24-month survival would be lower, {R.survival_24m_then}.",
    "If the stage were IV, the patient would have a higher risk.",
)
FALSE_OF_RISK = (
    ("The risk is higher.", "hypothetical"),
    ("Predicted 24-month survival {R.survival_24m_then}.", "hypothetical"),
    ("If the stage were IV, the risk is higher.", "hypothetical"),
    ("If the stage were IV, the risk would be higher; the stage is IV.", "hypothetical"),
    ("The changed input is within the reference range.", "hypothetical"),
    ("If the stage were IV, the risk would be lower.", "holds higher risk"),
    ("If the stage were IV, the risk would fall.", "holds higher risk"),
    ("If the stage were IV, predicted 24-month survival would be higher, {R.survival_24m_then}.", "holds higher risk"),
    ("If the stage were IV, predicted 24-month survival would be {R.survival_24m_now}.", "what is recorded"),
    ("If the stage were IV, the percentile would rise from the {R.percentile_then} to the {R.percentile_now}.",
     "what would be"),
    ("If the stage were IV, the risk would be higher: the percentile changed; the {R.percentile_now}.", "hypothetical"),
    ("If the stage were II, the risk would be higher.", "does not hold"),
)  # fmt: skip


def checked(ledger: Ledger, text: str, *ids: str) -> CheckedClaim:
    return check_claim(Claim(text.replace("{R.", f"{{{ids[0]}."), ids), ledger)


@pytest.mark.parametrize("text", TRUE_OF_RISK)
def test_a_claim_that_says_what_would_be_stands(supposed: Ledger, text: str) -> None:
    found = checked(supposed, text, supposed.of_type("hypothetical_risk")[0].id)
    assert found.verdict is Verdict.SUPPORTED, found.reason


@pytest.mark.parametrize(("text", "reason"), FALSE_OF_RISK)
def test_a_claim_that_states_the_hypothetical_as_fact_or_swaps_it_is_stopped(
    supposed: Ledger, text: str, reason: str
) -> None:
    found = checked(supposed, text, supposed.of_type("hypothetical_risk")[0].id)
    assert found.verdict is not Verdict.SUPPORTED and reason in found.reason


def test_a_fact_beside_a_what_if_needs_no_supposing_where_its_own_evidence_holds_it(supposed: Ledger) -> None:
    risk, diagnosis = supposed.of_type("hypothetical_risk")[0].id, supposed.of_type("diagnosis")[0].id
    would = "If the stage were IV, the risk would be higher; "
    assert checked(supposed, would + "the recorded stage is IIIA.", risk, diagnosis).verdict is Verdict.SUPPORTED
    assert checked(supposed, would + "the recorded stage is IV.", risk, diagnosis).verdict is not Verdict.SUPPORTED
    assert checked(supposed, "The recorded stage is IIIA.", diagnosis).verdict is Verdict.SUPPORTED


def test_every_what_if_sentence_passes_its_own_check(asked: dict[str, WhatIf], toy: ModuleType) -> None:
    ledger = collect_evidence(toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved())
    for found in asked.values():
        new = number_after(ledger, found.drafts)
        whole = Ledger((*ledger, *new))
        assert [checked(whole, e.text, e.id).reason for e in new] == [f"held by {e.id}" for e in new]


@pytest.fixture(scope="module")
def options(asked: dict[str, WhatIf], toy: ModuleType) -> dict[str, tuple[Ledger, str]]:
    """effect -> a ledger with one supposed option of that effect, and its id; "disappears" is the first reversed."""
    ledger = collect_evidence(toy.toy_patient(), toy.toy_prediction(), toy.toy_retrieved())
    rows = [d for d in asked["variant"].drafts if "drug" in d.fields]
    made = {d.fields["effect"].display: d for d in rows}
    appears = made["appears"]
    made["disappears"] = replace(
        appears, text=appears.text.replace("would become an", "would no longer be an"),
        fields={**appears.fields, "effect": Field("disappears", "disappears")},
    )  # fmt: skip
    return {e: (Ledger((*ledger, *(new := number_after(ledger, [d])))), new[0].id) for e, d in made.items()}


@pytest.mark.parametrize("effect", ["appears", "disappears", "resistance appears"])
def test_an_option_is_said_with_its_own_effect_and_no_other(
    options: dict[str, tuple[Ledger, str]], effect: str
) -> None:
    said = {
        "appears": "{R.change}, {R.drug} would become an option.",
        "disappears": "{R.change}, {R.drug} would no longer be an option.",
        "resistance appears": "{R.change}, {R.drug} would be expected to fail, resistance.",
    }
    ledger, row = options[effect]
    stands = [e for e, text in said.items() if checked(ledger, text, row).verdict is Verdict.SUPPORTED]
    assert stands == [effect]
    assert checked(ledger, said[effect].partition(", ")[2], row).verdict is Verdict.SUPPORTED
    as_fact = said["appears"].partition(", ")[2].replace("would become", "is")
    assert checked(ledger, as_fact, row).verdict is not Verdict.SUPPORTED
    unnamed = checked(ledger, "{R.change}, a drug would become an option with {R.biomarker}.", row)
    assert unnamed.verdict is not Verdict.SUPPORTED
