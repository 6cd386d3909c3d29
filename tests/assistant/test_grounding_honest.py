"""Honest sentences about the toy case, as a clinician or a general model words them: at least nine in ten must pass."""
# ruff: noqa: E501  one claim a line reads better than a wrapped one

from __future__ import annotations

import pytest

from assistant.claim import Claim, Verdict
from assistant.evidence import Ledger
from assistant.grounding import check_claim

HONEST = [
    ("A 63-year-old woman with stage IIIA lung adenocarcinoma (AJCC 8).", "F1 F2"),
    ("The patient is a 63-year-old female with ECOG 1.", "F2 F3"),
    ("{F1.disease}, {F1.stage} ({F1.tnm_edition}), {F1.grade}.", "F1"),
    ("Lung adenocarcinoma was diagnosed on 11 February 2024 and is stage IIIA.", "F1"),
    ("Her ECOG performance status is 1.", "F3"),
    ("She received cisplatin as first-line treatment from 2 April 2024, with a partial response.", "F4"),
    ("Cisplatin was given in the first line with partial response.", "F4"),
    ("The patient currently takes warfarin.", "F5"),
    ("Haemoglobin was 11.2 g/dL on 5 March 2024.", "F6"),
    ("The clinic letter of 6 May 2024 notes that cough has eased since March and she walks two miles daily.", "F7"),
    ("No methylation data are available because no methylation array was ordered.", "F8"),
    ("Methylation is missing; a methylation array of the tumour sample would clarify MGMT promoter status.", "F8"),
    ("Methylation data are not available, which could inform the methylation class and MGMT promoter status.", "F8"),
    ("Protein markers were not provided; immunohistochemistry or a proteomic assay would answer.", "F9"),
    ("The lesion measures 38 mm in longest axial diameter with a short axis of 21 mm on CT chest.", "I1"),
    ("On CT the lesion measures 3.8 cm and has a volume of 12.4 mL.", "I1"),
    ("Chest CT shows a lesion with a volume of 12.4 mL and a maximum diameter of 38 mm.", "I1"),
    ("The lesion has a maximum SUV of 9.7 and a mean SUV of 4.6 on FDG-PET.", "I2"),
    ("SUVmax is 9.7 on FDG-PET.", "I2"),
    ("The lesion volume is approximately 12 mL.", "I1"),
    ("The margin appears spiculated.", "I3"),
    ("The lesion has a spiculated margin, heterogeneous texture and high uptake, without necrosis.", "I3 I5 I6 I4"),
    ("Necrosis is absent (probability 0.83).", "I4"),
    ("No necrosis is seen.", "I4"),
    ("The lesion shows no evidence of necrosis.", "I4"),
    ("FDG uptake is high.", "I6"),
    ("The tumour shows increased FDG uptake.", "I6"),
    ("The texture is {I5.finding}.", "I5"),
    ("A 38 mm spiculated lesion is seen.", "I1 I3"),
    ("EGFR p.L858R was detected at an allele fraction of 34 %.", "M1"),
    ("Sequencing identified an EGFR p.Leu858Arg missense mutation (VAF 0.34).", "M1"),
    ("EGFR L858R and TP53 R175H mutations were found.", "M1 M7"),
    ("EGFR {M1.variant} is present at an allele fraction of {M1.allele_fraction} with a depth of {M1.depth}.", "M1"),
    ("TP53 p.R175H is a missense variant with an allele fraction of 0.27.", "M7"),
    ("MET is amplified (log2 ratio 2.31).", "M2"),
    ("There is a deep deletion of CDKN2A and an amplification of MET.", "M6 M2"),
    ("An EML4-ALK fusion was identified.", "M3"),
    ("PD-L1 expression is 55 %.", "M4"),
    ("TMB is 7.5 mutations/Mb and PD-L1 is 55%.", "M5 M4"),
    ("Tumour mutational burden is 7.5 mut/Mb.", "M5"),
    ("The expression profile shows high proliferation and low immune infiltration.", "M8 M9"),
    ("Proliferation is high on RNA expression.", "M8"),
    ("The model predicts a 24-month survival of 58 % (95 % interval 46 % to 69 %).", "P1"),
    ("Predicted survival is 81% at 12 months and 58% at 24 months.", "P1"),
    ("The patient falls in the high risk group, at the 72nd percentile of the synthetic reference cohort.", "P1"),
    ("Estimated 1-year survival is 81 percent (72-88%).", "P1"),
    ("Risk is high ({P1.percentile} in the {P1.cohort}); predicted 24-month survival is {P1.survival_24m}.", "P1"),
    ("The image-based model predicts EGFR mutation with a probability of 0.87, in agreement with sequencing.", "P2"),
    ("EGFR is predicted mutated from imaging alone (probability 87 %), which agrees with sequencing.", "P2"),
    ("The model classifies the tumour as lung adenocarcinoma with probability 0.97, consistent with the record.", "P3"),
    ("Imaging contributed most to the survival prediction (53 %), followed by expression (35 %).", "X1"),
    ("Imaging contributes most and raises the predicted risk.", "X1"),
    ("MKI67 and TOP2A raise the predicted risk, while SFTPC lowers it.", "X2"),
    ("On CT chest, 75 % of the heat map weight lies within the lesion and the deletion test passed.", "X3"),
    ("Among the 3 most similar synthetic cases, median survival was 26 months.", "S1"),
    ("67 % of the similar synthetic cases are estimated alive at 24 months.", "S1"),
    ("Among the 12 most similar synthetic cases, median survival was 30 months.", "S5"),
    ("Of the similar synthetic cases, 83 % are estimated alive at 1 year and 50 % at 3 years.", "S5"),
    ("At 12 months 83 % of the similar cases are estimated alive, 95 % interval 48 % to 96 %.", "S5"),
    ("Similar cases: {S5.count}, {S5.events}; median survival is {S5.median_survival}.", "S5"),
    (
        "The closest case, {S2.case}, shares an EGFR mutation and spiculated margin and was alive at last follow-up.",
        "S2",
    ),
    ("Synthetic case SYN-9 with a similarity of 0.92 died after 17 months of follow-up.", "S3"),
    ("Osimertinib is an option for EGFR L858R lung adenocarcinoma (OncoKB level 1).", "G1"),
    ("Tagrisso is offered in the first line: the tumour carries EGFR p.L858R.", "G1 M1"),
    ("{G1.drug} is {G1.status} for {G1.biomarker} ({G1.level_system} {G1.level}), {G1.approval}.", "G1"),
    (
        "Osimertinib is FDA approved; the FLAURA trial showed prolonged progression-free survival compared with gefitinib or erlotinib.",
        "G1",
    ),
    ("Weigh warfarin and a long QT interval before osimertinib.", "G1"),
    ("EGFR L858R predicts sensitivity to osimertinib.", "G1"),
    ("Gefitinib is excluded because it is superseded by osimertinib.", "G2"),
    ("Gefitinib is not offered: superseded by osimertinib.", "G2"),
    ("Erlotinib is excluded as MET amplification predicts resistance.", "G3"),
    ("MET amplification is associated with resistance to erlotinib.", "G3"),
    (
        "Concurrent chemoradiotherapy followed by durvalumab is a standard option for unresectable stage III disease, but durvalumab is not advised when an EGFR mutation is present.",
        "G4",
    ),
    ("Guidelines: durvalumab is not advised when an EGFR mutation is present.", "G4"),
    ("Concurrent chemoradiotherapy followed by durvalumab is standard for unresectable stage III disease.", "G4"),
    ("CT chest of 1 March 2024 has 6 slices.", "I7"),
]
MIN_SHARE = 0.9


def test_honest_paraphrases_pass(toy_ledger: Ledger) -> None:
    checked = [check_claim(Claim(text, tuple(ids.split())), toy_ledger) for text, ids in HONEST]
    refused = [f"{c.text} -> {c.reason}" for c in checked if c.verdict is not Verdict.SUPPORTED]
    assert len(refused) <= (1 - MIN_SHARE) * len(HONEST), "\n".join(refused)


def test_every_evidence_supports_its_own_sentence(toy_ledger: Ledger) -> None:
    checked = [check_claim(Claim(e.text, (e.id,)), toy_ledger) for e in toy_ledger]
    assert [f"{c.text} -> {c.reason}" for c in checked if c.verdict is not Verdict.SUPPORTED] == []


def test_references_are_filled_and_marks_removed(toy_ledger: Ledger) -> None:
    claim = check_claim(Claim("EGFR {M1.variant} was found [M1].", ()), toy_ledger)
    assert (claim.text, claim.citations, claim.verdict) == ("EGFR p.L858R was found.", ("M1",), Verdict.SUPPORTED)
    assert claim.raw == "EGFR {M1.variant} was found [M1]."


@pytest.mark.parametrize("text", ["{M1.gene} {M1.variant} was found", "EGFR p.L858R was found"])
def test_the_reason_of_a_supported_claim_names_what_holds_it(toy_ledger: Ledger, text: str) -> None:
    assert check_claim(Claim(text, ("M1",)), toy_ledger).reason == "held by M1"
