"""A claim's stand on a finding is read by the checker, not by words found in it."""

from __future__ import annotations

import pytest

from assistant.claim import Claim
from assistant.evidence import Evidence, EvidenceKind, EvidenceSource, Field, Ledger
from assistant.stated_findings import stated_findings
from eval.smoke_soft_tokens import Seen, commoner_classes, judge, majority_rate


def appearance(evidence_id: str, attribute: str, finding: str) -> Evidence:
    return Evidence(
        evidence_id,
        EvidenceKind.IMAGE,
        "appearance",
        f"The image network reads the lesion's {attribute} as {finding} on CT chest, probability 0.97.",
        {
            "attribute": Field(attribute, attribute),
            "finding": Field(finding, finding),
            "probability": Field(0.97, "0.97"),
        },
        EvidenceSource(),
        perceived=("finding",),
        perceived_from="imaging",
    )


LEDGER = Ledger((appearance("I1", "margin", "spiculated"), appearance("I2", "necrosis", "absent")))


@pytest.mark.parametrize(
    ("text", "cited", "expected"),
    [
        ("The lesion margin is spiculated.", ("I1",), {"I1": "spiculated"}),
        ("The lesion margin is smooth.", ("I1",), {"I1": "smooth"}),
        ("Necrosis is present.", ("I2",), {"I2": "present"}),
        ("Necrosis is absent.", ("I2",), {"I2": "absent"}),
        ("The margin is smooth and necrosis is present.", ("I1", "I2"), {"I1": "smooth", "I2": "present"}),
    ],
)
def test_the_stated_word_is_found_whatever_the_ledger_says(text: str, cited: tuple[str, ...], expected: dict) -> None:
    assert stated_findings([Claim(text, cited)], LEDGER, "LUAD") == expected


def test_a_reference_to_the_ledger_s_word_states_nothing() -> None:
    assert stated_findings([Claim("The lesion margin is {I1.finding}.", ("I1",))], LEDGER, "LUAD") == {}


def test_an_unsupported_sentence_states_nothing() -> None:
    assert stated_findings([Claim("The lesion margin is purple and spiculated.", ("I1",))], LEDGER, "LUAD") == {}


def test_statements_are_judged_against_the_truth_not_the_ledger() -> None:
    patient = Seen("LUAD", {"margin": "smooth", "necrosis": "absent"}, LEDGER, ())
    claims = [Claim("The lesion margin is spiculated.", ("I1",)), Claim("Necrosis is absent.", ("I2",))]
    assert judge(patient, claims) == {"margin": False, "necrosis": True}


def test_the_majority_rate_is_of_classes_counted_elsewhere() -> None:
    def patient(code: str, margin: str) -> Seen:
        return Seen(code, {"margin": margin}, LEDGER, ())

    # class 1 (spiculated, infiltrative) twice, class 0 once
    known = [("LUAD", {"margin": "spiculated"}), ("DIFG", {"margin": "infiltrative"}), ("LUAD", {"margin": "smooth"})]
    assert commoner_classes(known) == {"margin": 1}
    asked = [patient("LUAD", "smooth"), patient("DIFG", "infiltrative"), patient("CCRCC", "circumscribed")]
    assert majority_rate(asked, {"margin": 1}) == pytest.approx(1 / 3)
