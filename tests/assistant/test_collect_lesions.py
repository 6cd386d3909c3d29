"""Lesion evidence of made series: what is said of size, measurability, several lesions, and proposed ones."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest

from assistant.claim import Claim, Verdict
from assistant.collect import collect_evidence
from assistant.evidence import Evidence, Ledger
from assistant.grounding import check_claim
from encoders.lesion_change import lesion_change
from encoders.patient import ImagingModality, IntensityUnit
from encoders.prediction import FollowUpStatus, LesionFollowUp, Measurement

CT = Measurement("1.2.3", "lesion", 12.4, 38.2, 21.3, 34.0, 96.0, "HU", 2, p10_intensity=-21.4, p90_intensity=71.2)


def ledger(toy: ModuleType, *measured: Measurement, **more: object) -> Ledger:
    changes = {"measurements": measured, "follow_up": (), "diameter_sums": (), **more}
    return collect_evidence(toy.toy_patient(), toy.toy_prediction(**changes), toy.toy_retrieved())


def only(found: Ledger, kind: str) -> Evidence:
    (item,) = found.of_type(kind)
    return item


def test_why_a_lesion_is_not_measurable_is_said(toy: ModuleType) -> None:
    small = replace(CT, not_measurable="the longest diameter is below 10 mm")
    assert (
        "not measurable by RECIST 1.1: the longest diameter is below 10 mm" in only(ledger(toy, small), "lesion").text
    )


def test_diameters_that_are_not_axial_are_not_called_axial(toy: ModuleType) -> None:
    text = only(ledger(toy, replace(CT, note="not axial")), "lesion").text
    assert "axial diameter" not in text and "in-plane diameter (the slices are not axial) of 38 mm" in text


def test_several_lesions_of_a_series_are_told_apart_in_every_sentence(toy: ModuleType) -> None:
    second = replace(CT, segment_label="Lesion 2", longest_axial_diameter_mm=12.0)
    found = ledger(toy, replace(CT, segment_label="GTV"), second)
    assert [e.fields["series"].display for e in found.of_type("lesion")] == [
        "CT chest (lesion GTV)",
        "CT chest (lesion 2)",
    ]
    for item in found.of_type("lesion", "lesion_intensity"):
        assert check_claim(Claim(item.text, (item.id,)), found).verdict is Verdict.SUPPORTED
    (first, other) = found.of_type("lesion")
    claim = Claim(
        f"The lesion on {{{other.id}.series}} has a longest diameter of {{{other.id}.longest_diameter}}.", (other.id,)
    )
    assert check_claim(claim, found).verdict is Verdict.SUPPORTED
    mixed = Claim(claim.text.replace(f"{{{other.id}.longest", f"{{{first.id}.longest"), (other.id,))
    assert check_claim(mixed, found).verdict is not Verdict.SUPPORTED
    wrong_slice = Claim("The lesion on CT chest (lesion 2) is longest on slice 2.", (other.id,))
    assert check_claim(wrong_slice, found).verdict is not Verdict.SUPPORTED


def test_lesions_of_a_superseded_study_are_not_told_as_todays(toy: ModuleType) -> None:
    assert ledger(toy, replace(CT, prior=True)).of_type("lesion", "lesion_intensity") == ()


def test_pet_that_is_not_suv_says_so_and_gives_no_suv(toy: ModuleType) -> None:
    patient = toy.toy_patient()
    raw = tuple(replace(s, unit=IntensityUnit.ARBITRARY) for s in patient.imaging if s.modality is ImagingModality.PT)
    measured = replace(CT, series_uid="1.2.4", intensity_unit="arbitrary")
    prediction = toy.toy_prediction(measurements=(measured,), follow_up=(), diameter_sums=())
    found = collect_evidence(toy.toy_patient(imaging=raw), prediction, toy.toy_retrieved())
    item = only(found, "lesion_intensity")
    assert item.fields["basis"].display == "not SUV" and "SUVmax, SUVpeak and SUVmean are missing" in item.text


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("On CT chest a proposed lesion has a longest diameter of 38 mm.", True),
        ("On CT chest the lesion has a longest diameter of 38 mm.", False),
        ("The proposed lesion has a volume of 12.4 mL; it is confirmed by a person.", False),
        ("The proposed lesion has a short axis of 38 mm.", False),
    ],
)
def test_a_proposed_lesion_is_never_stated_as_a_found_one(text: str, right: bool, toy: ModuleType) -> None:
    found = ledger(toy, replace(CT, segment_label="Proposed lesion 1", proposed=True))
    item = only(found, "proposed_lesion")
    assert "not confirmed by a person" in item.text and not found.of_type("lesion", "lesion_intensity")
    assert (check_claim(Claim(text, (item.id,)), found).verdict is Verdict.SUPPORTED) is right


def row(status: FollowUpStatus, **more: object) -> LesionFollowUp:
    return LesionFollowUp("1.2.3", "1.2.1", "2024-03-01", "2023-09-14", status, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "trend", "words"),
    [
        (
            row(FollowUpStatus.NEW, label="L2"),
            "new",
            "is new: outlined on 2024-03-01, without an outline on 2023-09-14",
        ),
        (row(FollowUpStatus.VANISHED, label="L2"), "vanished", "is vanished or not outlined"),
        (row(FollowUpStatus.NOT_MATCHED, basis="2 against 3"), "not matched", "so that their change is unknown"),
        (row(FollowUpStatus.NOT_COMPARED, basis="it has no outlined lesion"), "not compared", "no outlined lesion"),
        (
            row(FollowUpStatus.COMPARED, measure="short axis", change=lesion_change(26.0, 27.0, smallest_mm=20.0)),
            "grown",
            "short axis 26 mm before and 27 mm now, 4 % larger; smallest of the earlier studies 20 mm",
        ),
        (row(FollowUpStatus.COMPARED, measure="longest diameter", change=lesion_change(20.0, 20.04)), "stable", "0 %"),
    ],
)
def test_each_outcome_of_a_comparison_is_worded_and_stands(
    made: LesionFollowUp, trend: str, words: str, toy: ModuleType
) -> None:
    found = ledger(toy, CT, follow_up=(made,))
    item = only(found, "lesion_change")
    assert item.fields["trend"].display == trend and words in item.text
    checked = check_claim(Claim(item.text, (item.id,)), found)
    assert checked.verdict is Verdict.SUPPORTED, checked.reason


def test_an_unmatched_lesion_is_not_said_to_have_grown(toy: ModuleType) -> None:
    found = ledger(toy, CT, follow_up=(row(FollowUpStatus.NOT_MATCHED, basis="2 against 3"),))
    item = only(found, "lesion_change")
    for lie in ("The lesion has grown.", "The lesions are matched.", "The lesion is stable since 2023-09-14."):
        assert check_claim(Claim(lie, (item.id,)), found).verdict is not Verdict.SUPPORTED, lie
