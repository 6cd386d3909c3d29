"""Classes of drugs in a clinician's words."""

from __future__ import annotations

import pytest

from assistant.drug_class_words import GROUPS, asked_classes
from assistant.evidence import Ledger
from assistant.question_routing import topic_evidence
from retrieval.lexicon import drug_class, drug_classes


@pytest.mark.parametrize(
    ("question", "classes"),
    [
        ("Is a PARP inhibitor indicated?", {"PARP inhibitor"}),
        ("Any CDK4/6 inhibitor?", {"CDK4/6 inhibitor"}),
        ("which CDK 4/6-directed drug", set()),  # not a form anybody was seen to write; nothing is guessed
        ("Does an IDH blocker apply?", {"IDH inhibitor"}),
        ("anti-HER2 antibody-drug conjugate?", {"HER2 antibody-drug conjugate"}),
        ("Would a MEK inhibitor help?", {"MEK inhibitor"}),
        ("immune checkpoint blockade possible?",
         {"PD-1 antibody", "PD-L1 antibody", "CTLA-4 antibody", "LAG-3 antibody"}),
        ("chemo?", {"chemotherapy"}),
        ("Is EGFR mutated?", set()),
        ("What is the margin of the mass?", set()),
    ],
)  # fmt: skip
def test_a_class_is_read_as_the_drug_table_names_it(question: str, classes: set[str]) -> None:
    assert asked_classes(question) == classes


def test_every_class_of_a_group_is_one_of_the_table() -> None:
    assert {c for classes in GROUPS.values() for c in classes} <= drug_classes()


def test_only_rows_with_a_drug_of_the_class_answer(toy_ledger: Ledger) -> None:
    drugs = {e.id: e.fields["drug"].display for e in toy_ledger.of_type("therapy")}
    found = topic_evidence("Is an EGFR TKI an option?", "therapy options", toy_ledger)
    assert found and all(drug_class(drugs[e.id]) == "EGFR TKI" for e in found)
    assert topic_evidence("Is a PARP inhibitor an option?", "therapy options", toy_ledger) == ()
