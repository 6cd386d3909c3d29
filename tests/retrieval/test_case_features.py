"""What two patients share and in what they differ, from facts of both alone."""

from __future__ import annotations

from encoders.patient import Biomarker, Patient, SourceLocator
from encoders.prediction import PatientPrediction
from retrieval.case_features import differing_features, patient_features, shared_features

OWN = {"EGFR": "altered", "stage": "IIIA", "margin": "spiculated", "sex": "female", "age": "60s", "grade": "G3"}


def test_genes_come_first_and_sex_last() -> None:
    other = {"sex": "female", "margin": "spiculated", "EGFR": "altered", "grade": "G3"}
    assert shared_features(OWN, other) == ("EGFR altered", "grade G3", "spiculated margin", "female sex")


def test_stages_of_one_group_share_the_group_and_do_not_differ() -> None:
    assert shared_features(OWN, {"stage": "IIIB"}) == ("stage group III",)
    assert shared_features(OWN, {"stage": "IIIA"}) == ("stage IIIA",)
    assert differing_features(OWN, {"stage": "IIIB"}) == ()
    assert shared_features({"stage": "unknown"}, {"stage": "limited"}) == ()


def test_differences_say_both_sides_the_most_telling_first() -> None:
    other = {"age": "30s", "margin": "smooth", "stage": "IB", "EGFR": "not altered"}
    assert differing_features(OWN, other) == (
        "EGFR not altered (patient altered)",
        "stage IB (patient IIIA)",
        "smooth margin (patient spiculated)",
        "age 30 to 39 years (patient 60 to 69)",
    )


def test_what_is_known_of_one_alone_is_neither_shared_nor_different() -> None:
    assert differing_features(OWN, {"IDH1": "altered", "necrosis": "present"}) == ()
    assert shared_features(OWN, {"IDH1": "altered"}) == ()
    assert differing_features({}, OWN) == ()


def test_neighbouring_decades_are_no_telling_difference() -> None:
    assert differing_features(OWN, {"age": "50s"}) == ()


def test_a_biomarker_in_words_is_a_feature_and_a_number_is_not() -> None:
    source = SourceLocator("record.json")
    markers = (Biomarker("MSI", "MSI-H", source), Biomarker("TMB", 12.0, source))
    found = patient_features(Patient("p", biomarkers=markers), PatientPrediction(None, (), (), (), {}, {}))
    assert found == {"MSI": "MSI-H"}
