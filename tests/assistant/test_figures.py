"""Figures: the right slice, the right way up, small pictures, and what is not drawn is said."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from assistant import figures
from assistant.figures import build_figures
from assistant.slice_image import OUTLINE_RGB, orient_slice, window_for
from encoders.patient import ImagingModality, ImagingSeries, IntensityUnit, Patient, Segment, SourceLocator
from encoders.prediction import Attribution, PatientPrediction, Prediction, SurvivalCurve
from retrieval.passage import Retrieved, SimilarCase

HERE = SourceLocator("made/by/hand")
NOTHING = Retrieved((), (), ())


def make_series(*, modality=ImagingModality.CT, unit=IntensityUnit.HU, role="CT abdomen", affine=None) -> ImagingSeries:
    volume = np.full((6, 40, 60), -1000.0, dtype=np.float32)
    volume[:, 10:30, 10:50] = 40.0
    mask = np.zeros(volume.shape, dtype=bool)
    mask[2, 14:18, 14:18] = True
    mask[4, 12:22, 12:22] = True  # the largest area
    return ImagingSeries(
        modality,
        "1.2.3",
        None,
        volume,
        unit,
        (5.0, 2.0, 1.0),
        np.diag([1.0, 2.0, 5.0, 1.0]) if affine is None else affine,
        HERE,
        role=role,
        sop_instance_uids=tuple(f"1.2.3.{i}" for i in range(6)),
        segments=(Segment("lesion", mask, HERE),),
    )


def predicted(*predictions: Prediction, attributions: tuple[Attribution, ...] = ()) -> PatientPrediction:
    return PatientPrediction(None, predictions, attributions, (), {}, {})


def decode(uri: str) -> np.ndarray:
    head, data = uri.split(",", 1)
    assert head == "data:image/png;base64"
    assert len(uri) < 200_000
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def test_key_slice_is_the_one_with_the_largest_lesion_area() -> None:
    drawn = build_figures(Patient("A", imaging=(make_series(),)), predicted(), NOTHING)["slices"][0]
    assert (drawn["slice_index"], drawn["slice_number"], drawn["slice_count"]) == (4, 5, 6)
    assert drawn["sop_uid"] == "1.2.3.4"


def test_picture_keeps_the_true_aspect_and_says_its_scale() -> None:
    drawn = build_figures(Patient("A", imaging=(make_series(),)), predicted(), NOTHING)["slices"][0]
    # 40 rows of 2 mm by 60 columns of 1 mm: 80 x 60 mm, the longer side becomes 360 px
    assert (drawn["height"], drawn["width"]) == (360, 270)
    assert drawn["mm_per_px"] == pytest.approx(80 / 360, abs=1e-3)
    assert drawn["scale_px"] == pytest.approx(drawn["scale_mm"] / drawn["mm_per_px"], abs=0.1)


def test_outline_surrounds_the_lesion_where_the_mask_is() -> None:
    drawn = build_figures(Patient("A", imaging=(make_series(),)), predicted(), NOTHING)["slices"][0]
    rows, columns = np.where((np.abs(decode(drawn["plain"]).astype(int) - OUTLINE_RGB) < 12).all(axis=-1))
    scale_y, scale_x = 360 / 40, 270 / 60
    assert rows.min() == pytest.approx(12 * scale_y, abs=3) and rows.max() == pytest.approx(22 * scale_y, abs=3)
    assert columns.min() == pytest.approx(12 * scale_x, abs=3) and columns.max() == pytest.approx(22 * scale_x, abs=3)


def test_axial_slice_in_lps_shows_the_patients_right_on_the_left() -> None:
    assert orient_slice(make_series()).orientation == {"left": "R", "right": "L", "top": "A", "bottom": "P"}


@pytest.mark.parametrize(("axis", "flag"), [(0, "flip_horizontal"), (1, "flip_vertical")])
def test_an_axis_running_the_other_way_is_flipped_for_display(axis: int, flag: str) -> None:
    affine = np.diag([1.0, 2.0, 5.0, 1.0])
    affine[axis, axis] *= -1
    view = orient_slice(make_series(affine=affine))
    assert getattr(view, flag)
    assert view.orientation == {"left": "R", "right": "L", "top": "A", "bottom": "P"}


def test_coronal_slice_has_the_head_on_top() -> None:
    affine = np.array([[1.0, 0, 0, 0], [0, 0, 5.0, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])
    view = orient_slice(make_series(affine=affine))
    assert view.orientation == {"left": "R", "right": "L", "top": "S", "bottom": "I"}
    assert not view.flip_vertical


def test_windows_follow_what_the_series_shows() -> None:
    lung = window_for(make_series(role="CT chest"))
    assert lung.apply(np.array([[-1350.0, 150.0, -600.0]], dtype=np.float32)).tolist() == [[0, 255, 127]]
    assert "soft-tissue" in window_for(make_series()).label
    pet = window_for(make_series(modality=ImagingModality.PT, unit=IntensityUnit.SUVBW, role="FDG-PET"))
    assert pet.apply(np.array([[0.0, pet.high]], dtype=np.float32)).tolist() == [[255, 0]]


def test_heatmap_is_a_second_picture_that_differs_only_where_the_map_is_warm() -> None:
    series = make_series()
    warm = np.zeros(series.volume.shape, dtype=np.float32)
    warm[4, 12:22, 12:22] = 1.0
    cam = Attribution("survival", "Grad-CAM", "none", {}, map=warm, series_uid="1.2.3")
    drawn = build_figures(Patient("A", imaging=(series,)), predicted(attributions=(cam,)), NOTHING)["slices"][0]
    plain, heat = decode(drawn["plain"]).astype(int), decode(drawn["heatmap"]).astype(int)
    changed = np.abs(plain - heat).max(axis=-1) > 60
    assert changed[112:194, 58:95].mean() > 0.9
    assert not changed[:, 150:].any()


def test_a_series_without_a_heatmap_is_counted() -> None:
    made = build_figures(Patient("A", imaging=(make_series(),)), predicted(), NOTHING)
    assert made["slices"][0]["heatmap"] is None
    assert any("no heatmap" in line for line in made["skipped"])


def test_bars_are_sorted_by_size_and_keep_their_sign() -> None:
    months = np.array([0.0, 12.0, 24.0], dtype=np.float32)
    chance = np.array([1.0, 0.8, 0.5], dtype=np.float32)
    survival = Prediction(
        "survival",
        0.4,
        "card",
        "00",
        contributions={"imaging": 0.1, "clinical": -0.4},
        unimodal={"imaging": 0.2},
        curve=SurvivalCurve(months, chance, chance - 0.1, np.minimum(chance + 0.1, 1)),
    )
    made = build_figures(Patient("A"), predicted(survival), NOTHING)
    assert [(r["modality"], r["value"], r["unimodal"]) for r in made["contributions"]] == [
        ("clinical", -0.4, None),
        ("imaging", 0.1, 0.2),
    ]
    assert made["survival"]["probability"] == [1.0, 0.8, 0.5]


def test_cohort_curve_is_the_kaplan_meier_estimate_of_the_same_cancer(tmp_path, monkeypatch) -> None:
    # ten patients, deaths at 1..4 months, the rest censored at 10: 0.9, 0.8, 0.7, 0.6, then flat
    rows = [{"oncotree_code": "LUAD", "followup_months": m if m < 5 else 10, "event": m < 5} for m in range(1, 11)] + [
        {"oncotree_code": "BRCA", "followup_months": 0.5, "event": True}
    ] * 10
    path = tmp_path / "reference_cohort.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    monkeypatch.setattr(figures, "REFERENCE_COHORT", path)
    skipped: list[str] = []
    curve = figures._cohort_curve("LUAD", 60.0, skipped)
    assert curve is not None and skipped == []
    assert curve["probability"][:4] == [0.9, 0.8, 0.7, 0.6] and curve["n"] == 10
    assert figures._cohort_curve("CCRCC", 60.0, skipped) is None
    assert "0 reference patients" in skipped[0]


def test_the_result_is_plain_json_and_nothing_is_required() -> None:
    case = SimilarCase("REF-1", 0.9, "LUAD", (), 12.0, np.bool_(True))
    made = build_figures(Patient("A"), predicted(), Retrieved((), (), (case,)))
    assert json.loads(json.dumps(made, allow_nan=False)) == made
    assert made["slices"] == [] and made["survival"] is None
    assert made["similar"] == [{"case_id": "REF-1", "similarity": 0.9, "followup_months": 12.0, "event": True}]
