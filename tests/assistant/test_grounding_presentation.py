"""Presentation words, turns of speech and counts: what they may be used for, and the lies that would use them."""
# ruff: noqa: E501  one claim a line reads better than a wrapped one

from __future__ import annotations

import pytest

from assistant.claim import Claim, Verdict
from assistant.evidence import Ledger
from assistant.grounding import check_claim
from assistant.grounding_presentation import PRESENTATION, PRESENTATION_BY_TYPE
from assistant.grounding_words import HEDGES, LIMITS, NEGATIONS, POLES
from assistant.normalise import tokenise, word_key

LIES = [
    # "noted" is no "not", and turns nothing round
    ("Proliferation is noted low.", "M8"), ("The margin was noted smooth.", "I3"), ("The model noted low risk.", "P1"),
    # "one" and counts
    ("The ECOG status is one hundred.", "F3"), ("Three mutations were identified: EGFR L858R and TP53 R175H.", "M1 M7"),
    ("Two mutations were identified: EGFR L858R.", "M1"),
    # openers and topics
    ("So, the risk is low.", "P1"), ("As for the necrosis, the model reads it as present.", "I4"),
    ("Regarding the margin, the model reads it as smooth.", "I3"), ("In terms of volume, the lesion measures 38 mm.", "I1"),
    ("First, cisplatin was given in the second line.", "F4"),
    # turns of speech
    ("The lesion came back to 38 mm.", "I1"), ("The disease came back.", "F1"), ("The mean diameter is 38 mm.", "I1"),
    ("The lesion averages 38 mm.", "I1"), ("Status post warfarin.", "F5"), ("EGFR L858R is not remarkable for the tumour.", "M1"),
    ("Osimertinib does not qualify as an option.", "G1"), ("Gefitinib qualifies as an option.", "G2"),
    ("Osimertinib is off the table.", "G1"), ("EGFR T790M -> osimertinib.", "G1"), ("38 mm -> 21 mm.", "I1"),
    ("From 38 mm to 21 mm.", "I1"), ("A 21 mm lesion is seen on CT chest.", "I1"), ("The lesion is 21 mm long.", "I1"),
    ("The lesion measures 21 mm by 38 mm.", "I1"), ("EGFR L858R was detected in 210 % of reads.", "M1"),
    ("Nothing is known about EGFR L858R.", "M1"), ("He's 63 years old.", "F2"), ("I could not find EGFR L858R.", "M1"),
    ("EGFR L858R co-occurs with KRAS G12C.", "M1"), ("MET amplification predicts response to erlotinib.", "G3"),
    # causes
    ("Osimertinib is offered because of warfarin.", "G1"), ("EGFR L858R is present because osimertinib is offered.", "M1 G1"),
    ("Because osimertinib is offered, EGFR L858R is present.", "M1 G1"), ("Osimertinib is offered because the tumour harbours TP53 R175H.", "G1"),
    # gaps spoken of as if filled
    ("There are methylation data, so methylation class cannot be determined.", "F8"),
    ("With methylation data, methylation class cannot be established.", "F8"),
    ("Methylation class cannot be determined with methylation data.", "F8"),
    ("Methylation was done and methylation class is unknown.", "F8"), ("No methylation is missing.", "F8"),
    ("The file contains methylation data, so MGMT promoter status cannot be determined.", "F8"),
    ("Absent no necrosis.", "I4"),
    # explanations
    ("High attribution of MKI67 lowers the predicted risk.", "X2"), ("MKI67 pulls the predicted risk down.", "X2"),
    ("SFTPC pulls the predicted risk up.", "X2"), ("Expression had the greatest weight in the prediction.", "X1"),
    # words that look like presentation
    ("The disease is contained.", "F1"), ("The diagnosis of lung adenocarcinoma is under review.", "F1"),
    ("EGFR L858R is in question.", "M1"), ("Osimertinib is offered subject to review.", "G1"),
    ("The total tumour volume is 12.4 mL.", "I1"), ("The patient is alive.", "P1"),
    # places of numbers
    ("Predicted 24-month survival is 46 % (95 % interval 58 % to 69 %).", "P1"), ("Predicted 12-month survival is 72 %.", "P1"),
    ("Predicted 24-month survival is 58 % (69 % interval 46 % to 95 %).", "P1"),
    ("She has lung adenocarcinoma and an ECOG performance status of 2.", "F1 F3"),
    ("The patient has a similarity of 0.94 and died.", "S3"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "ids"), LIES)
def test_a_lie_in_free_prose_is_refused(toy_ledger: Ledger, text: str, ids: str) -> None:
    assert check_claim(Claim(text, tuple(ids.split())), toy_ledger).verdict is not Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("We present the case of a 63-year-old woman.", "F2"), ("She's a 63yo woman.", "F2"), ("Dx: lung adenocarcinoma, stage IIIA.", "F1"),
        ("The model noted high risk.", "P1"), ("Two mutations were identified: EGFR L858R and TP53 R175H.", "M1 M7"),
        ("As for the margin, the model reads it as spiculated.", "I3"), ("In terms of size, the lesion measures 38 mm.", "I1"),
        ("A 38 mm lesion with a short axis of 21 mm is seen on CT chest.", "I1"), ("The lesion is 3.8 cm long.", "I1"),
        ("EGFR L858R was detected in 34 % of reads.", "M1"), ("Genomic profiling is notable for EGFR L858R.", "M1"),
        ("Osimertinib is offered because the tumour harbours EGFR L858R.", "M1 G1"), ("EGFR L858R -> osimertinib.", "G1"),
        ("We do not have methylation data.", "F8"), ("Methylation class cannot be determined without methylation data.", "F8"),
        ("High attribution of MKI67 raises the predicted risk.", "X2"), ("Performance-wise, she sits at ECOG 1.", "F3"),
        ("One similar patient, SYN-7, was alive at last follow-up.", "S2"),
    ],
)  # fmt: skip
def test_free_prose_about_the_toy_case_is_held(toy_ledger: Ledger, text: str, ids: str) -> None:
    checked = check_claim(Claim(text, tuple(ids.split())), toy_ledger)
    assert checked.verdict is Verdict.SUPPORTED, checked.reason


def test_no_presentation_word_states_a_direction_a_denial_a_hedge_or_a_limit() -> None:
    words = {w for text in (PRESENTATION, *PRESENTATION_BY_TYPE.values()) for w in text.split()}
    stating = {w for poles in POLES.values() for pole in poles for w in pole} | NEGATIONS | HEDGES
    assert not {w for w in words if w in stating or word_key(w) in NEGATIONS}
    degree = "severe marked strong rapid recently previously therefore should recommended proven cured only most several never fails"
    assert not words & set(degree.split())
    assert words & LIMITS <= {"when", "after"}  # of a laboratory value and of a survival time


@pytest.mark.parametrize(("text", "key"), [("noted", "note"), ("noting", "note"), ("not", "not")])
def test_noted_is_no_negation(text: str, key: str) -> None:
    assert tokenise(text)[0].key == key
